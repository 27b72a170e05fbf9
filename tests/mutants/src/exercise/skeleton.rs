// SPDX-License-Identifier: GPL-2.0-only

//! A skeleton: the module without the body of one function, which a student writes.

use super::{Exercise, Hint, function};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::path::PathBuf;

/// An entry of `skeletons.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skeleton {
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// The line before the function, if its name is not unique in the file.
    within: Option<String>,
    function: String,
    body: String,
    pub(super) suites: Vec<String>,
    hints: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) skeleton: Vec<Skeleton>,
}

impl Skeleton {
    /// Returns the exercise. `original` is the content of the file.
    ///
    /// # Errors
    ///
    /// The function does not exist, or not once; or its body is already that of the skeleton.
    pub(super) fn exercise(&self, original: String) -> Result<Exercise> {
        let start = match &self.within {
            None => 0,
            Some(line) => original
                .find(&format!("{line}\n"))
                .with_context(|| format!("no line {line:?}"))?,
        };
        let body = function::body(&original[start..], &self.function, self.within.is_none())?;
        let (before, after) = (
            &original[..start + body.start],
            &original[start + body.end..],
        );
        let given = [before, &self.body, after].concat();
        ensure!(given != original, "the body is that of the module");
        let place = function::around(&original, before.lines().count())
            .context("the body is in no function")?;
        let file = self.file.display();
        let suites = self.suites.join(", ");
        Ok(Exercise {
            id: self.name.clone(),
            task: format!("write {place} in {file}, until these suites pass: {suites}"),
            file: self.file.clone(),
            hints: self.hints.iter().cloned().map(Hint::Text).collect(),
            solution: format!("{place} of the module"),
            original,
            given,
            suites: self.suites.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
impl A for B {
    fn install(&self) -> u32 {
        1
    }
}

impl A for C {
    fn install(
        &self,
    ) -> u32 {
        2
    }
}
";

    fn skeleton(within: Option<&str>, function: &str, body: &str) -> Skeleton {
        Skeleton {
            name: "a".to_owned(),
            file: "src/a.rs".into(),
            within: within.map(str::to_owned),
            function: function.to_owned(),
            body: body.to_owned(),
            suites: vec!["kinds".to_owned(), "errno".to_owned()],
            hints: Vec::new(),
        }
    }

    #[test]
    fn the_body_is_replaced() {
        let skeleton = skeleton(Some("impl A for C {"), "install", "        0\n");
        let exercise = skeleton.exercise(SOURCE.to_owned()).unwrap();
        assert_eq!(exercise.given, SOURCE.replace("        2\n", "        0\n"));
        let task =
            "write install() of `impl A for C` in src/a.rs, until these suites pass: kinds, errno";
        assert_eq!(exercise.task, task);
    }

    #[test]
    fn a_skeleton_that_does_not_apply_is_refused() {
        for (within, function, body, why) in [
            (None, "install", "0\n", "2 functions"),
            (None, "missing", "0\n", "no function"),
            (Some("impl A for D {"), "install", "0\n", "no line"),
            (
                Some("impl A for B {"),
                "install",
                "        1\n",
                "that of the module",
            ),
        ] {
            let skeleton = skeleton(within, function, body);
            let error = skeleton
                .exercise(SOURCE.to_owned())
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
