// SPDX-License-Identifier: GPL-2.0-only

//! Checks the labs of this repository without a guest.

use nsproxy_lab::{Lab, commands, table};
use std::{fs, path::PathBuf};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/labs")
}

fn labs() -> Vec<Lab> {
    Lab::read_all(&directory()).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn each_lab_has_commands_questions_and_puzzles() {
    let labs = labs();
    assert!(labs.len() >= 15, "{} labs", labs.len());
    for lab in &labs {
        let commands = commands::parse(&lab.text);
        assert!(commands.is_ok(), "{}: {:?}", lab.name, commands.err());
        assert!(!lab.questions.is_empty(), "{}: no question", lab.name);
        assert!(!lab.puzzles.is_empty(), "{}: no puzzle", lab.name);
    }
    let puzzles: usize = labs.iter().map(|lab| lab.puzzles.len()).sum();
    assert!(puzzles >= 20, "{puzzles} puzzles");
}

#[test]
fn the_table_of_the_readme_is_that_of_the_labs() {
    let readme = fs::read_to_string(directory().join("README.md")).unwrap();
    let table = table(&labs());
    assert!(
        readme.contains(&format!("\n\n{table}\n")),
        "docs/labs/README.md: replace the table by\n{table}"
    );
}

#[test]
fn a_lab_comes_after_its_prerequisites() {
    for lab in labs() {
        let mut lines = lab.text.lines();
        let row = lines.find(|line| line.starts_with("| prerequisites |"));
        let links = row.unwrap_or_default().split("](").skip(1);
        for link in links {
            assert!(link[..2] < lab.name[..2], "{}: {link}", lab.name);
        }
    }
}
