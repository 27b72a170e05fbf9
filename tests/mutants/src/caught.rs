// SPDX-License-Identifier: GPL-2.0-only

//! `caught.toml`: the test that caught each mutant in its last run. It is tried first in the next one.

use crate::{Component, report::Outcome, table::Mutant};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const HEADER: &str = "\
# SPDX-License-Identifier: GPL-2.0-only
#
# The suite and the test that caught each mutant in its last run, or a part of the names of
# several tests. `make mutants` and `make kernel-mutants` write this file, and try those first.

";

/// A failure: of a test, or of a suite for another reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Failed {
    pub(crate) suite: String,
    /// The test; [`None`] if the suite failed for another reason, such as a message of the kernel.
    pub(crate) test: Option<String>,
}

impl Failed {
    /// Returns the suite and the test, if a test failed.
    pub(crate) fn test(&self) -> Option<(&str, &str)> {
        Some((&self.suite, self.test.as_deref()?))
    }
}

impl From<String> for Failed {
    fn from(text: String) -> Self {
        let (suite, test) = match text.split_once(": ") {
            Some((suite, test)) => (suite, Some(test.to_owned())),
            None => (text.as_str(), None),
        };
        Self {
            suite: suite.to_owned(),
            test,
        }
    }
}

impl From<Failed> for String {
    fn from(Failed { suite, test }: Failed) -> Self {
        match test {
            Some(test) => format!("{suite}: {test}"),
            None => suite,
        }
    }
}

/// The file, by component and name of the mutant.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    module: BTreeMap<String, Failed>,
    kernel: BTreeMap<String, Failed>,
}

impl Table {
    fn read(root: &Path) -> Result<Self> {
        let path = path(root);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    fn of(&mut self, component: Component) -> &mut BTreeMap<String, Failed> {
        match component {
            Component::Module => &mut self.module,
            Component::Kernel => &mut self.kernel,
        }
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("tests/mutants/caught.toml")
}

/// Sets the failure that caught each mutant of a component.
///
/// # Errors
///
/// The file names a mutant that does not exist.
pub(crate) fn add(root: &Path, component: Component, mutants: &mut [Mutant]) -> Result<()> {
    let mut table = Table::read(root)?;
    let caught = table.of(component);
    for mutant in mutants {
        mutant.caught_by = caught.remove(&mutant.name);
    }
    let unknown: Vec<_> = caught.keys().map(String::as_str).collect();
    ensure!(
        unknown.is_empty(),
        "{}: no such mutants: {}",
        path(root).display(),
        unknown.join(", ")
    );
    Ok(())
}

/// Stores the failures that caught the mutants.
pub(crate) fn store(
    root: &Path,
    component: Component,
    outcomes: &[(&Mutant, Outcome)],
) -> Result<()> {
    let mut table = Table::read(root)?;
    for (mutant, outcome) in outcomes {
        if let Outcome::Caught(notice) = outcome {
            let failed = Failed {
                suite: notice.suite.clone(),
                test: notice.is_test.then(|| notice.by.clone()),
            };
            let known = mutant.caught_by.as_ref();
            // After a known test of the suite, something else can fail: objects are left behind.
            if failed.test.is_some() || known.is_none_or(|known| known.suite != failed.suite) {
                table.of(component).insert(mutant.name.clone(), failed);
            }
        }
    }
    let path = path(root);
    fs::write(&path, HEADER.to_owned() + &toml::to_string(&table)?)
        .with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::Failed;

    #[test]
    fn a_suite_or_a_test_of_it() {
        for (text, suite, test) in [
            ("device", "device", None),
            ("kinds: uts", "kinds", Some("uts")),
            ("abi: size: too large", "abi", Some("size: too large")),
        ] {
            let failed = Failed::from(text.to_owned());
            assert_eq!((&*failed.suite, failed.test.as_deref()), (suite, test));
            assert_eq!(String::from(failed), text);
        }
    }
}
