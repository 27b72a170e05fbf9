// SPDX-License-Identifier: GPL-2.0-only

//! The labs of `docs/labs`: each command must print the output that the lab shows.
//!
//! Each file is a test. Its commands run in order, in one session of a shell.

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

/// The directory of the labs in the guest.
const DIRECTORY: &str = "/labs";

pub(crate) fn tests() -> Vec<Test> {
    match files(Path::new(DIRECTORY)) {
        Ok(files) if files.is_empty() => {
            let why = "this guest has no labs: `make test` and `make shell` include them";
            vec![Test::skipped("labs", why)]
        }
        Ok(files) => files.into_iter().map(test).collect(),
        Err(error) => vec![Test::new("labs", |_| Err(error))],
    }
}

/// Returns the files of the labs, in the order of their numbers.
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

/// Runs all commands of a lab, and returns all errors together.
fn run(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lab = Lab::parse(&text).with_context(|| name.to_string())?;
    let before = Before::record()?;
    let mut wrong = Vec::new();
    let mut session = Session::start()?;
    for command in &lab.commands {
        let place = || format!("{name}:{}: {}", command.line, command.text);
        match session.run(&command.text) {
            Ok(actual) => {
                if let Some(diff) = compare::diff(&command.expected, &actual) {
                    wrong.push(format!("{}\n{diff}", place()));
                }
            }
            // The shell cannot continue.
            Err(error) => {
                wrong.push(format!("{}\n{error:#}", place()));
                break;
            }
        }
    }
    drop(session);
    wrong.extend(
        before
            .leftovers()?
            .into_iter()
            .map(|leftover| format!("{name}: leaves {leftover} behind")),
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
    fn the_labs_can_be_parsed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/labs");
        let files = files(&directory).unwrap();
        assert!(files.len() > 13, "{files:?}");
        for file in files {
            let lab = Lab::parse(&fs::read_to_string(&file).unwrap());
            assert!(lab.is_ok(), "{}: {:?}", file.display(), lab.err());
        }
    }
}
