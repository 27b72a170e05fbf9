// SPDX-License-Identifier: GPL-2.0-only

//! Checks that the kernel's source has each check at its [`Reason::place`].

use anyhow::{Context as _, Result};
use nsproxy_uapi::{Kind, Place, Reason};
use std::{fs, path::Path};

/// Returns the places that the kernel in `source` does not have, as messages.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn missing(source: &Path) -> Result<Vec<String>> {
    let kinds = || [None].into_iter().chain(Kind::ALL.map(Some));
    let places = Reason::ALL
        .iter()
        .flat_map(|reason| kinds().filter_map(|kind| reason.place(kind)));
    let mut missing = Vec::new();
    for place in places {
        let path = source.join(place.file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let line = format!("no {place}");
        if !is_in(&text, &place) && !missing.contains(&line) {
            missing.push(line);
        }
    }
    Ok(missing)
}

/// Returns whether a function of that name in `text` contains the check.
fn is_in(text: &str, place: &Place) -> bool {
    let names = [
        format!("{}(", place.function),
        // setns() itself
        format!("SYSCALL_DEFINE2({},", place.function),
    ];
    text.split("\n}\n").any(|function| {
        names.iter().any(|name| function.contains(name)) && function.contains(place.check)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_looked_for_in_its_function() {
        let text = "int one(void)\n{\n\tif (a != b)\n\t\treturn 1;\n}\nint two(void)\n{\n}\n";
        let place = |function| Place {
            check: "a != b",
            function,
            file: "x.c",
        };
        assert!(is_in(text, &place("one")));
        assert!(!is_in(text, &place("two")));
        assert!(!is_in(text, &place("three")));
    }
}
