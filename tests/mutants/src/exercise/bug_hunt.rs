// SPDX-License-Identifier: GPL-2.0-only

//! A bug hunt: the module with one mutant, which nothing in its tree names.

use super::{Exercise, Hint, excerpt, function};
use crate::table::Mutant;
use anyhow::{Context as _, Result, anyhow};

/// Returns the exercise of a mutant. `original` is the content of the file that it changes. `suites` are
/// the suites of all bug hunts: those of this one would be a hint.
///
/// # Errors
///
/// The mutant does not apply, or no suite catches it.
pub(super) fn exercise(
    id: &str,
    mutant: &Mutant,
    original: String,
    suites: &[String],
) -> Result<Exercise> {
    let given = mutant.apply(&original).map_err(|why| anyhow!(why))?;
    let failed = mutant.caught_by.clone().context("no suite catches it")?;
    let file = mutant.file.display();
    let line = excerpt::first_difference(&original, &given);
    let place = match function::around(&given, line) {
        Some(function) => format!("the mistake is in {function}"),
        None => format!(
            "the mistake is near line {}, outside of functions",
            line + 1
        ),
    };
    Ok(Exercise {
        id: id.to_owned(),
        task: "find the mistake in src/, and correct it until all suites pass".to_owned(),
        file: mutant.file.clone(),
        hints: vec![
            Hint::Text(format!("the suite {} fails", failed.suite)),
            Hint::Report {
                failed,
                mutant: Box::new(mutant.clone()),
            },
            Hint::Text(format!("the mistake is in {file}")),
            Hint::Text(place),
        ],
        solution: format!("the mistake: it {}", mutant.wrong),
        original,
        given,
        suites: suites.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{caught::Failed, table::Change};

    fn mutant() -> Mutant {
        Mutant {
            name: "a-name".to_owned(),
            wrong: "returns two".to_owned(),
            file: "src/a.rs".into(),
            change: Change::Lines {
                old: "fn a() {\n    1\n".to_owned(),
                new: "fn a() {\n    2\n".to_owned(),
            },
            caught_by: Some(Failed::from("kinds: uts".to_owned())),
            equivalent: None,
        }
    }

    #[test]
    fn each_hint_says_more() {
        let original = "fn b() {\n    0\n}\n\nfn a() {\n    1\n}\n";
        let suites = ["errno".to_owned(), "kinds".to_owned()];
        let exercise = exercise("17", &mutant(), original.to_owned(), &suites).unwrap();
        assert_eq!(exercise.suites, suites);
        let [
            Hint::Text(suite),
            Hint::Report { .. },
            Hint::Text(file),
            Hint::Text(function),
        ] = &exercise.hints[..]
        else {
            panic!("{:?}", exercise.hints)
        };
        assert_eq!(suite, "the suite kinds fails");
        assert_eq!(file, "the mistake is in src/a.rs");
        assert_eq!(function, "the mistake is in a()");
    }

    #[test]
    fn the_task_does_not_name_the_mutant() {
        let original = "fn a() {\n    1\n}\n";
        let exercise = exercise("17", &mutant(), original.to_owned(), &[]).unwrap();
        assert_eq!(exercise.given, "fn a() {\n    2\n}\n");
        for secret in ["a-name", "two", "a.rs", "kinds"] {
            assert!(!exercise.task.contains(secret), "{}", exercise.task);
        }
    }
}
