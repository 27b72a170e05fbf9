// SPDX-License-Identifier: GPL-2.0-only

//! The table `excerpts.toml`: where the C and the Rust of each step are.

use crate::{
    excerpt::Anchor,
    sources::{Language, Sources},
};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

const TEXT: &str = include_str!("../excerpts.toml");

/// An entry of the table: the lines of a step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The name of the step.
    step: String,
    /// `setns` or `unshare`; both without it.
    call: Option<String>,
    /// The function of the step; each one without it.
    function: Option<String>,
    /// The lines of the kernel.
    pub(crate) c: Anchor,
    /// The lines of the module.
    pub(crate) rust: Anchor,
}

impl Entry {
    fn is_for(&self, call: &str, step: &str, function: &str) -> bool {
        let fits = |own: &Option<String>, name| own.as_deref().is_none_or(|own| own == name);
        self.step == step && fits(&self.call, call) && fits(&self.function, function)
    }
}

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    entry: Vec<Entry>,
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// It is not a table of this form.
    pub(crate) fn read() -> Result<Self> {
        toml::from_str(TEXT).context("tools/trace-page/excerpts.toml")
    }

    /// Returns the entry of a step.
    ///
    /// # Errors
    ///
    /// The step has no entry, or more than one.
    pub(crate) fn find(&self, call: &str, step: &str, function: &str) -> Result<&Entry> {
        let entries = self.entry.iter();
        let found: Vec<_> = entries
            .filter(|entry| entry.is_for(call, step, function))
            .collect();
        match found[..] {
            [entry] => Ok(entry),
            _ => bail!(
                "tools/trace-page/excerpts.toml has {} entries for the step {step} of {call}, in {function}()",
                found.len()
            ),
        }
    }

    /// Checks that each step has an entry, that each entry has a step, and that the sources have
    /// the lines. Returns the number of steps.
    ///
    /// # Errors
    ///
    /// A list of all mistakes.
    pub(crate) fn check(&self, sources: &mut Sources) -> Result<usize> {
        let steps = nsproxy::traced_steps();
        let mut wrong = Vec::new();
        for step in &steps {
            if let Err(error) = self.find(step.system_call, step.step, step.function) {
                wrong.push(error.to_string());
            }
        }
        for entry in &self.entry {
            let has_step = steps
                .iter()
                .any(|step| entry.is_for(step.system_call, step.step, step.function));
            if !has_step {
                wrong.push(format!("no trace has the step of the entry {}", entry.c));
            }
            for (language, anchor) in [(Language::C, &entry.c), (Language::Rust, &entry.rust)] {
                if !sources.has(language) {
                    continue;
                }
                if let Err(error) = sources.excerpt(language, anchor) {
                    wrong.push(format!("{error:#}"));
                }
            }
        }
        if wrong.is_empty() {
            return Ok(steps.len());
        }
        bail!(
            "tools/trace-page/excerpts.toml:\n    {}\n    hint: find the lines again, and change the entry",
            wrong.join("\n    ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_step_has_its_lines_in_the_module() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let steps = Table::read().unwrap().check(&mut Sources::new(&root, None));
        assert!(steps.unwrap() > 50);
    }
}
