// SPDX-License-Identifier: GPL-2.0-only

//! The labs of `docs/labs`: each command must print the output that the lab shows, the editions must
//! have their parts, and the grader must tell the solution of each puzzle from its near miss.

mod compare;
mod editions;
mod leftovers;
mod puzzles;
mod session;

use crate::report::ktap::Test;
use anyhow::{Context as _, Result, bail};
use leftovers::Before;
use nsproxy_lab::{Lab, commands};
use session::Session;
use std::{fs, path::Path, rc::Rc};

/// The directory of the labs in the guest.
const DIRECTORY: &str = "/labs";

pub(crate) fn tests() -> Vec<Test> {
    let directory = Path::new(DIRECTORY);
    if !directory.exists() {
        let why = "this guest has no labs: `make test` and `make shell` include them";
        return vec![Test::skipped("labs", why)];
    }
    let mut tests = vec![Test::new("README", |_| {
        let text = fs::read_to_string(Path::new(DIRECTORY).join("README.md"))?;
        run("README.md", &text)
    })];
    match Lab::read_all(directory) {
        Ok(labs) => tests.extend(labs.into_iter().map(Rc::new).flat_map(tests_of)),
        Err(error) => tests.push(Test::new("labs", |_| Err(error))),
    }
    tests
}

fn tests_of(lab: Rc<Lab>) -> Vec<Test> {
    let test = |what: &str, run: fn(&Lab) -> Result<()>| {
        let lab = lab.clone();
        Test::new(format!("{}{what}", lab.name), move |_| run(&lab))
    };
    let run_lab = |lab: &Lab| run(&format!("{}.md", lab.name), &lab.text);
    let mut tests = vec![test("", run_lab), test(": editions", editions::check)];
    for index in 0..lab.puzzles.len() {
        let lab = lab.clone();
        let name = format!("{}: puzzle {}", lab.name, index + 1);
        tests.push(Test::new(name, move |_| puzzles::check(&lab, index)));
    }
    tests.push(test(": all solutions", puzzles::check_all));
    tests
}

/// Runs all commands of a file, and returns all errors together.
fn run(name: &str, text: &str) -> Result<()> {
    let commands = commands::parse(text).with_context(|| name.to_owned())?;
    let before = Before::record()?;
    let mut wrong = Vec::new();
    let mut session = Session::start()?;
    for command in &commands {
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
    let leftovers = before.leftovers()?;
    wrong.extend(
        leftovers
            .into_iter()
            .map(|leftover| format!("{name}: leaves {leftover} behind")),
    );
    if !wrong.is_empty() {
        bail!(wrong.join("\n"));
    }
    Ok(())
}
