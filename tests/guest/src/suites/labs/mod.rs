// SPDX-License-Identifier: GPL-2.0-only

//! The labs of `docs/labs`: what they say that a shell prints, it prints.
//!
//! Each file is a test, and one session of a shell, in which its commands run in their order.

mod compare;
mod lab;
mod leftovers;
mod session;

use crate::report::ktap::Test;
use anyhow::{Context as _, Result, bail};
use lab::Lab;
use leftovers::Before;
use session::Session;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the guest has them, for the suite and for who wants to read them there.
const DIRECTORY: &str = "/labs";

pub(crate) fn tests() -> Vec<Test> {
    match files(Path::new(DIRECTORY)) {
        Ok(files) if files.is_empty() => {
            let why = "this guest has no labs: they come with `make test` or `make shell`";
            vec![Test::skipped("labs", why)]
        }
        Ok(files) => files.into_iter().map(test).collect(),
        Err(error) => vec![Test::new("labs", |_| Err(error))],
    }
}

/// Those that there are, in the order of their numbers.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn test(path: PathBuf) -> Test {
    let name = path.file_stem().unwrap_or_default().display().to_string();
    Test::new(name, move |_| run(&path))
}

/// Runs a lab to its end, whatever it prints, and says all that is wrong with it.
fn run(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lab = Lab::parse(&text).with_context(|| name.to_string())?;
    let before = Before::look()?;
    let mut wrong = Vec::new();
    let mut session = Session::start()?;
    for step in &lab.steps {
        let place = || format!("{name}:{}: {}", step.line, step.command);
        match session.run(&step.command) {
            Ok(actual) => {
                if let Some(diff) = compare::diff(&step.expected, &actual) {
                    wrong.push(format!("{}\n{diff}", place()));
                }
            }
            // There is no shell any more that could go on.
            Err(error) => {
                wrong.push(format!("{}\n{error:#}", place()));
                break;
            }
        }
    }
    drop(session);
    wrong.extend(
        before
            .left()?
            .into_iter()
            .map(|left| format!("{name}: it leaves {left}")),
    );
    if !wrong.is_empty() {
        bail!(wrong.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labs_can_be_read() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/labs");
        let files = files(&directory).unwrap();
        assert!(files.len() > 9, "{files:?}");
        for file in files {
            let lab = Lab::parse(&fs::read_to_string(&file).unwrap());
            assert!(lab.is_ok(), "{}: {:?}", file.display(), lab.err());
        }
    }
}
