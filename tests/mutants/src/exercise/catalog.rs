// SPDX-License-Identifier: GPL-2.0-only

//! All exercises: the bug hunts of `exercises.toml` with their numbers, and the skeletons of
//! `skeletons.toml`.

use super::{
    Exercise, bug_hunt,
    skeleton::{self, Skeleton},
};
use crate::table::{self, Mutant};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const BUG_HUNTS: &str = "tests/mutants/exercises.toml";
const SKELETONS: &str = "tests/mutants/skeletons.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    suites: Vec<String>,
    bug_hunts: Vec<String>,
}

/// The exercises of the project.
#[derive(Debug)]
pub(crate) struct Catalog {
    root: PathBuf,
    table: Table,
    mutants: Vec<Mutant>,
    skeletons: Vec<Skeleton>,
}

/// Returns an exercise of the project in `root`.
///
/// # Errors
///
/// It does not exist: the error names those that do.
pub(super) fn find(root: &Path, id: &str) -> Result<Exercise> {
    Catalog::read(root)?.find(id)
}

impl Catalog {
    /// Reads the exercises and the mutants of the project in `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let skeleton::Table {
            skeleton: skeletons,
        } = parse(&root.join(SKELETONS))?;
        Ok(Self {
            root: root.to_owned(),
            table: parse(&root.join(BUG_HUNTS))?,
            mutants: table::read(root)?,
            skeletons,
        })
    }

    fn find(&self, id: &str) -> Result<Exercise> {
        if let Some(skeleton) = self.skeletons.iter().find(|skeleton| skeleton.name == id) {
            return skeleton.exercise(self.source(&skeleton.file)?);
        }
        let mutant = id.parse().ok().and_then(|number| self.mutant(number));
        let Some(mutant) = mutant else {
            let last = self.table.bug_hunts.len();
            let names: Vec<_> = self.skeletons.iter().map(|it| it.name.as_str()).collect();
            bail!(
                "no exercise {id:?}\nhint: N=1 to N={last} are bug hunts; skeletons: {}",
                names.join(", ")
            );
        };
        let original = self.source(&mutant.file)?;
        bug_hunt::exercise(id, mutant, original, &self.table.suites)
    }

    /// Reads a file of the module.
    fn source(&self, file: &Path) -> Result<String> {
        let path = self.root.join(file);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Returns the mutant of a bug hunt.
    fn mutant(&self, number: usize) -> Option<&Mutant> {
        let name = self.table.bug_hunts.get(number.checked_sub(1)?)?;
        self.mutants.iter().find(|mutant| mutant.name == *name)
    }

    /// Checks that each mutant that a suite catches has one number, and that each exercise applies.
    pub(super) fn check(&self) -> Result<()> {
        let mut wrong = wrong(&self.table, &self.mutants);
        for (index, name) in self.table.bug_hunts.iter().enumerate() {
            if let (false, Err(why)) = (name.is_empty(), self.find(&(index + 1).to_string())) {
                wrong.push(format!("{name}: {why:#}"));
            }
        }
        let mut names = BTreeSet::new();
        for Skeleton { name, suites, .. } in &self.skeletons {
            if !names.insert(name) {
                wrong.push(format!("{name}: duplicate name"));
            }
            if let Err(why) = self.find(name) {
                wrong.push(format!("{name}: {why:#}"));
            }
            let unknown = suites.iter().filter(|it| !self.table.suites.contains(it));
            wrong.extend(unknown.map(|suite| format!("{name}: unknown suite {suite}")));
        }
        if !wrong.is_empty() {
            bail!("{BUG_HUNTS}, {SKELETONS}:\n    {}", wrong.join("\n    "));
        }
        Ok(())
    }

    pub(super) fn summary(&self) -> String {
        let names = self.table.bug_hunts.iter();
        format!(
            "{} bug hunts, {} skeletons",
            names.filter(|name| !name.is_empty()).count(),
            self.skeletons.len()
        )
    }
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// Returns the mistakes in the numbers.
fn wrong(table: &Table, mutants: &[Mutant]) -> Vec<String> {
    let mut wrong = Vec::new();
    let caught = |mutant: &&Mutant| mutant.equivalent.is_none() && mutant.caught_by.is_some();
    let caught: BTreeMap<_, _> = mutants
        .iter()
        .filter(caught)
        .map(|mutant| (mutant.name.as_str(), mutant))
        .collect();
    let mut listed = BTreeSet::new();
    for name in table.bug_hunts.iter().filter(|name| !name.is_empty()) {
        if !listed.insert(name.as_str()) {
            wrong.push(format!("{name}: has two numbers"));
        }
        if !caught.contains_key(name.as_str()) {
            wrong.push(format!(
                "{name}: no mutant that a suite catches; replace it by \"\""
            ));
        }
    }
    for (name, mutant) in caught {
        if !listed.contains(name) {
            wrong.push(format!("{name}: has no number; add it at the end"));
        }
        let suite = mutant.caught_by.as_ref().map(|failed| &failed.suite);
        if let Some(suite) = suite.filter(|suite| !table.suites.contains(suite)) {
            wrong.push(format!("{name}: its suite {suite} is not in suites"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{caught::Failed, table::Change};

    fn mutant(name: &str, suite: Option<&str>, equivalent: Option<&str>) -> Mutant {
        Mutant {
            name: name.to_owned(),
            wrong: String::new(),
            file: PathBuf::new(),
            change: Change::Lines {
                old: String::new(),
                new: String::new(),
            },
            caught_by: suite.map(|suite| Failed::from(suite.to_owned())),
            equivalent: equivalent.map(str::to_owned),
        }
    }

    fn mutants() -> [Mutant; 4] {
        [
            mutant("one", Some("kinds"), None),
            mutant("two", Some("errno"), None),
            mutant("without-suite", None, None),
            mutant("equivalent", Some("errno"), Some("why")),
        ]
    }

    fn table(suites: &[&str], bug_hunts: &[&str]) -> Table {
        let [suites, bug_hunts] =
            [suites, bug_hunts].map(|names| names.iter().map(ToString::to_string).collect());
        Table { suites, bug_hunts }
    }

    #[test]
    fn numbers_stay_when_a_mutant_is_removed() {
        let catalog = Catalog {
            root: PathBuf::new(),
            table: table(&["kinds", "errno"], &["one", "", "two"]),
            mutants: mutants().into(),
            skeletons: Vec::new(),
        };
        let name = |number| catalog.mutant(number).map(|mutant| mutant.name.as_str());
        assert_eq!(
            [0, 1, 2, 3, 4].map(name),
            [None, Some("one"), None, Some("two"), None]
        );
        assert!(wrong(&catalog.table, &catalog.mutants).is_empty());
    }

    #[test]
    fn every_mistake_is_reported() {
        let table = table(&["kinds"], &["two", "two", "equivalent", "three"]);
        let wrong = wrong(&table, &mutants());
        let parts = [
            "two: has two",
            "equivalent: no mutant",
            "three: no mutant",
            "one: has no number",
            "two: its suite errno",
        ];
        assert_eq!(wrong.len(), parts.len(), "{wrong:?}");
        for (wrong, part) in wrong.iter().zip(parts) {
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    #[test]
    fn the_exercises_of_the_project_are_right() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        Catalog::read(root).unwrap().check().unwrap();
    }
}
