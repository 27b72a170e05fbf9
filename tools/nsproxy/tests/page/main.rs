// SPDX-License-Identifier: GPL-2.0-only

//! What the page of a trace says, shows and does.
//!
//! Most of it is seen in a browser, and such trials are ignored unless asked for, as with
//! `cargo test --test page -- --include-ignored`. The pages that they open, and pictures of them,
//! are left in `page/` of the directory that cargo has for what tests write.

mod browser;
mod looks;
mod page {
    pub(crate) use nsproxy::page;
}
mod picture;
mod reach;
mod samples;
mod steps;
mod stored;
mod written;

use anyhow::Result;
use browser::{Browser, Tab};
use libtest_mimic::{Arguments, Trial};
use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

/// The one for all trials, started by the first.
static BROWSER: Mutex<Option<Browser>> = Mutex::new(None);

/// What a trial does, with a tab of its own.
type InTab = fn(&mut Tab<'_>) -> Result<()>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // There is one browser, and one trial at a time in it.
    arguments.test_threads = Some(1);

    let written = written::TRIALS
        .iter()
        .map(|(name, trial)| Trial::test(*name, || Ok(trial()?)));
    let in_tab = [steps::TRIALS, picture::TRIALS, reach::TRIALS, looks::TRIALS];
    let in_tab = in_tab.into_iter().flatten().map(|(name, trial)| {
        Trial::test(*name, || Ok(with_tab(*trial)?))
            .with_kind("browser")
            .with_ignored_flag(true)
    });
    let trials = written.chain(in_tab).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Nothing that is static is ever dropped.
    drop(
        BROWSER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
    conclusion.exit_code()
}

fn with_tab(trial: InTab) -> Result<()> {
    let mut browser = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let browser = match &mut *browser {
        Some(browser) => browser,
        none => none.insert(Browser::start(&stored::dir().join("profile"))?),
    };
    trial(&mut browser.tab()?)
}
