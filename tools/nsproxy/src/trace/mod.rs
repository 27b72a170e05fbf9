// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy trace`: makes calls and prints their steps.

mod all_steps;
mod function;
mod json;
#[cfg(test)]
mod samples;
mod tree;

pub use all_steps::{TracedStep, traced_steps};

use crate::{
    creation::{self, CreationArgs},
    dry_run,
    explainer::{Answer, Explainer},
    open, page,
    plan::Turn,
    refusal::Refused,
    status::ExitCode,
    target_args::TargetArgs,
};
use anyhow::{Context as _, Result};
use nsproxy_uapi::{Explain, Journal};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
};

fn after_help() -> String {
    format!(
        "\
This process makes the calls, and then exits. The module
reads the counts of the namespaces and of the nsproxy before
and after each step. Concurrent changes by other tasks are
included.

With --unshare:
{}

With --dry-run:
{}

Exit status:
  0  all calls succeed
  1  a call fails, or the module does not answer
  2  usage error

Example:
  nsproxy trace --target 1234 --net --html trace.html
  nsproxy trace --unshare --user --net",
        creation::HELP,
        dry_run::HELP
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    #[command(flatten)]
    unshare: CreationArgs<false>,

    /// End each call before the point of no return
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Also write a page that shows the steps in a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A call that was made, with its outcome and its journal.
struct Traced {
    /// The system call: `setns` or `unshare`.
    name: &'static str,
    /// Its argument in words.
    call: String,
    how: Explain,
    refused: Option<Refused>,
    journal: Journal,
}

impl Traced {
    /// Returns whether the clock of the kernel advances between most steps. A clock that counts
    /// timer ticks gives all steps the same time, or two times if a tick occurs during the call.
    fn is_timed(&self) -> bool {
        let steps = &self.journal.steps;
        let pairs = steps.iter().zip(steps.iter().skip(1));
        let later = pairs.filter(|(step, next)| step.time < next.time).count();
        later * 2 >= steps.len()
    }
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let creation = args.unshare.creation(&args.target_args)?;
    let plan = match creation {
        Some(_) => None,
        None => Some(args.target_args.plan()?),
    };
    let device = open::device()?;
    let explainer = Explainer::KernelModule(open::device()?);
    args.target_args.report_nothing();
    // Opened before the calls, which may change the mount namespace. The file keeps its content
    // until the page replaces it.
    let cannot_write = |path: &PathBuf| format!("cannot write {}", path.display());
    let html = match &args.html {
        Some(path) => {
            let mut open = OpenOptions::new();
            let file = open.write(true).create(true).truncate(false).open(path);
            Some((path, file.with_context(|| cannot_write(path))?))
        }
        None => None,
    };
    let as_of_2011 = args.target_args.as_of_2011;
    let mut traced = Vec::new();
    let mut trace = |Turn { call, file, .. }, how| {
        let (refused, journal) = dry_run::trace(&device, call, file, how)?;
        let refusal = refused.as_ref().map(|refused| refused.refusal);
        let answer = refusal.map(|refusal| Answer::of_module(Some(refusal)));
        traced.push(Traced {
            name: "setns",
            call: call.to_string(),
            how,
            refused,
            journal,
        });
        Ok(answer)
    };
    let how = Explain {
        dry_run: args.dry_run,
        as_of_2011,
    };
    match plan {
        Some(plan) if args.dry_run => drop(plan.dry_run(&explainer, as_of_2011, trace)?),
        Some(plan) => drop(plan.execute(|turn| trace(turn, how))?),
        None => {}
    }
    if let Some(creation) = creation {
        let (refused, journal) = creation.trace(&device, how.dry_run)?;
        traced.push(Traced {
            name: "unshare",
            call: creation.to_string(),
            how,
            refused,
            journal,
        });
    }
    let is_refused = traced.last().is_some_and(|traced| traced.refused.is_some());

    let document = json::Document::new(&traced).text();
    if let Some((path, file)) = html {
        replace(&file, &page::page(&document)).with_context(|| cannot_write(path))?;
    }
    if args.json {
        println!("{document}");
    } else {
        let trees: Vec<_> = traced.iter().map(tree::tree).collect();
        anstream::print!("{}", trees.join("\n"));
    }
    Ok(if is_refused {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Replaces the content of `file`, which may also be a pipe or a terminal.
fn replace(mut file: &File, text: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}
