// SPDX-License-Identifier: GPL-2.0-only

//! The table of mutants of the module, `mutants.toml`, and the check that it applies.

use crate::{
    Component,
    caught::{self, Failed},
};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

/// The module or the kernel with one mistake.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// Letters, digits and `-`: a directory of logs has this name.
    pub(crate) name: String,
    /// The mistake, in a sentence.
    pub(crate) wrong: String,
    /// The changed file: in the project, or in the kernel's source.
    pub(crate) file: PathBuf,
    /// The change of the file.
    pub(crate) change: Change,
    /// The failure that caught it in its last run.
    pub(crate) caught_by: Option<Failed>,
    /// The reason why no suite can catch it, if it is equivalent to the original.
    pub(crate) equivalent: Option<String>,
}

/// The change of a mutant.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Lines of the module, which occur once, and their replacement. An empty replacement removes
    /// them.
    Lines { old: String, new: String },
    /// A patch for the kernel, and its content.
    Patch { path: PathBuf, text: String },
}

/// An entry of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    wrong: String,
    file: PathBuf,
    old: String,
    new: String,
    equivalent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutant: Vec<Entry>,
}

impl From<Entry> for Mutant {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name,
            wrong: entry.wrong,
            file: entry.file,
            change: Change::Lines {
                old: entry.old,
                new: entry.new,
            },
            caught_by: None,
            equivalent: entry.equivalent,
        }
    }
}

/// Reads the table of the project in `root`, and checks that each entry applies.
///
/// # Errors
///
/// An entry is wrong: the error has each mistake with the name of its entry.
pub(crate) fn read(root: &Path) -> Result<Vec<Mutant>> {
    let path = root.join("tests/mutants/mutants.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let Table { mutant: entries } =
        toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut mutants: Vec<Mutant> = entries.into_iter().map(Mutant::from).collect();
    let mut files = HashMap::new();
    for mutant in &mutants {
        let text = fs::read_to_string(root.join(&mutant.file)).ok();
        files.entry(mutant.file.as_path()).or_insert(text);
    }
    let wrong = wrong(&mutants, |file| files.get(file)?.as_deref());
    if !wrong.is_empty() {
        bail!("{}:\n    {}", path.display(), wrong.join("\n    "));
    }
    caught::add(root, Component::Module, &mut mutants)?;
    Ok(mutants)
}

/// Returns the mistakes in the entries. `source` returns the content of a file.
fn wrong<'a>(mutants: &[Mutant], source: impl Fn(&Path) -> Option<&'a str>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    if mutants.is_empty() {
        wrong.push("no mutants".to_owned());
    }
    for mutant in mutants {
        let name = &mutant.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            wrong.push(format!(
                "{name:?}: a name consists of letters, digits and `-`"
            ));
        }
        if !names.insert(name) {
            wrong.push(format!("{name}: duplicate name"));
        }
        match source(&mutant.file).map(|source| mutant.apply(source)) {
            None => wrong.push(format!("{name}: cannot read {}", mutant.file.display())),
            Some(Err(why)) => wrong.push(format!("{name}: {}: {why}", mutant.file.display())),
            Some(Ok(_)) => {}
        }
    }
    wrong
}

impl Mutant {
    /// Returns the source of the file with the lines replaced.
    pub(crate) fn apply(&self, source: &str) -> Result<String, String> {
        let Change::Lines { old, new } = &self.change else {
            return Err("the change is a patch for the kernel".to_owned());
        };
        if !old.ends_with('\n') || !(new.is_empty() || new.ends_with('\n')) {
            return Err("old and new must be whole lines".to_owned());
        }
        if old == new {
            return Err("old and new are the same".to_owned());
        }
        // The end of a line that is indented deeper does not count.
        let starts_a_line = |at: usize| at == 0 || source.as_bytes()[at - 1] == b'\n';
        let mut places = source
            .match_indices(old.as_str())
            .map(|(at, _)| at)
            .filter(|at| starts_a_line(*at));
        match (places.next(), places.count()) {
            (None, _) => Err(format!("these lines do not exist:\n{}", indented(old))),
            (Some(at), 0) => Ok([&source[..at], new, &source[at + old.len()..]].concat()),
            (Some(_), more) => Err(format!(
                "these lines exist {} times; add those around them:\n{}",
                more + 1,
                indented(old)
            )),
        }
    }
}

fn indented(lines: &str) -> String {
    let lines: Vec<_> = lines.lines().map(|line| format!("    | {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(old: &str, new: &str) -> Mutant {
        Mutant {
            name: "a-name".to_owned(),
            wrong: "something".to_owned(),
            file: "src/a.rs".into(),
            change: Change::Lines {
                old: old.to_owned(),
                new: new.to_owned(),
            },
            caught_by: None,
            equivalent: None,
        }
    }

    #[test]
    fn lines_are_replaced_and_removed() {
        let source = "a\n  b\nc\n";
        assert_eq!(
            mutant("  b\n", "  d\n").apply(source).unwrap(),
            "a\n  d\nc\n"
        );
        assert_eq!(mutant("a\n  b\n", "").apply(source).unwrap(), "c\n");
    }

    #[test]
    fn lines_must_be_whole_and_occur_once() {
        for (source, old, new, why) in [
            ("a\n", "b\n", "c\n", "not exist"),
            ("  a\n", "a\n", "c\n", "not exist"),
            ("a\nb\na\n", "a\n", "c\n", "2 times"),
            ("ab\n", "a", "c", "whole lines"),
            ("a\n", "a\n", "a\n", "the same"),
        ] {
            let error = mutant(old, new).apply(source).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn every_mistake_is_reported() {
        let named = |name: &str| Mutant {
            name: name.to_owned(),
            ..mutant("a\n", "b\n")
        };
        let elsewhere = Mutant {
            file: "src/b.rs".into(),
            ..named("elsewhere")
        };
        let mutants = [named("one"), named("one"), named("../two"), elsewhere];
        let source = |file: &Path| (file == Path::new("src/a.rs")).then_some("a\n");
        let wrong = wrong(&mutants, source);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        for (wrong, part) in wrong.iter().zip(["one: duplicate", "../two", "src/b.rs"]) {
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    #[test]
    fn an_empty_table_is_a_mistake() {
        assert_eq!(wrong(&[], |_| None).len(), 1);
    }
}
