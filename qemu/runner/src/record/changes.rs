// SPDX-License-Identifier: GPL-2.0-only

//! The intended differences between two kernels, each with its reason.

use super::Difference;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::{fs, path::Path};

/// The changes between releases of Linux.
const KNOWN: &str = include_str!("known.toml");

/// A release of Linux: `[7, 3, 4]`.
pub(crate) type Release = [u32; 3];

/// Parses `7.3.4`, or `7.3` as the first release of the series.
pub(crate) fn release(text: &str) -> Option<Release> {
    let mut numbers = text.split(['.', '-', '+']).map(str::parse);
    let series = [numbers.next()?.ok()?, numbers.next()?.ok()?];
    let last = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some([series[0], series[1], last])
}

/// The intended differences: those between releases, and those in the file of `CHANGES=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    #[serde(default)]
    change: Vec<Change>,
}

/// An intended difference. Each of the last five fields restricts the differences that it is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Why the behaviour changed.
    reason: String,
    /// The first release with the change, as `7.3`, and updates of earlier series that have it, too, as
    /// `6.12.117`. The change explains no difference between two kernels that both have it, or both
    /// do not.
    #[serde(default)]
    since: Vec<String>,
    suite: Option<String>,
    /// A part of the name of the test.
    test: Option<String>,
    /// The keys of values in a snapshot, or `result`.
    #[serde(default)]
    keys: Vec<String>,
    was: Option<String>,
    now: Option<String>,
}

impl Changes {
    /// Returns the changes between releases, and those in a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a list of changes.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self> {
        let mut changes: Self = toml::from_str(KNOWN).context("known.toml")?;
        if let Some(path) = file {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            let more: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
            changes.change.extend(more.change);
        }
        Ok(changes)
    }

    /// Returns the reason of a difference between kernels of these releases, if it is intended.
    pub(crate) fn reason(
        &self,
        releases: [Option<Release>; 2],
        suite: &str,
        test: &str,
        of: &Difference,
    ) -> Option<&str> {
        let mut changes = self.change.iter();
        let change = changes.find(|change| {
            let (was, now) = match change.direction(releases) {
                Some(Direction::Forward) => (&change.was, &change.now),
                Some(Direction::Back) => (&change.now, &change.was),
                None => return false,
            };
            is(&change.suite, suite)
                && change.test.as_ref().is_none_or(|part| test.contains(part))
                && (change.keys.is_empty() || change.keys.contains(&of.key))
                && is(was, &of.was)
                && is(now, &of.now)
        })?;
        Some(&change.reason)
    }
}

fn is(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == value)
}

/// The order of two kernels.
enum Direction {
    /// The second one has the change.
    Forward,
    /// The first one has the change.
    Back,
}

impl Change {
    /// Returns the direction in which the kernels differ by the change; [`None`] if they do not.
    fn direction(&self, [was, now]: [Option<Release>; 2]) -> Option<Direction> {
        if self.since.is_empty() {
            return Some(Direction::Forward);
        }
        match (self.is_in(was?), self.is_in(now?)) {
            (false, true) => Some(Direction::Forward),
            (true, false) => Some(Direction::Back),
            _ => None,
        }
    }

    /// Returns whether a kernel has the change.
    fn is_in(&self, kernel: Release) -> bool {
        let since = self.since.iter().filter_map(|text| release(text));
        let newest = since.clone().max();
        let mut of_series = since.filter(|since| since[..2] == kernel[..2]);
        newest.is_some_and(|first| kernel >= first) || of_series.any(|update| kernel >= update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(was: &str, now: &str) -> Difference {
        Difference {
            key: "result".to_owned(),
            was: was.to_owned(),
            now: now.to_owned(),
        }
    }

    #[test]
    fn known_changes_name_their_release() {
        for change in Changes::read(None).unwrap().change {
            assert!(!change.since.is_empty(), "{change:?}");
            for since in &change.since {
                assert!(release(since).is_some(), "{change:?}");
            }
        }
    }

    #[test]
    fn a_change_is_between_releases() {
        let changes: Changes = toml::from_str(
            "[[change]]\nreason = 'r'\nsince = ['7.3', '6.12.5']\ntest = 'fs'\nwas = '0'\nnow = 'EINVAL'\n",
        )
        .unwrap();
        let [old, new] = ["6.12.4", "7.3.4"].map(release);
        let reason = |releases, test, was, now| {
            changes.reason(releases, "errno", test, &difference(was, now))
        };
        let forward = |releases| reason(releases, "shared fs", "0", "EINVAL");
        assert_eq!(forward([old, new]), Some("r"));
        assert_eq!(reason([new, old], "shared fs", "EINVAL", "0"), Some("r"));
        // A series that reverts the change, or makes it once more, is not excused.
        assert_eq!(forward([new, new]), None);
        assert_eq!(forward([old, old]), None);
        assert_eq!(forward([new, old]), None);
        assert_eq!(forward([None, new]), None);
        let [update, later] = ["6.12.5", "6.18.1"].map(release);
        assert_eq!(forward([old, update]), Some("r"));
        assert_eq!(forward([update, new]), None);
        assert_eq!(forward([later, new]), Some("r"));
        assert_eq!(reason([old, new], "threads", "0", "EINVAL"), None);
        assert_eq!(reason([old, new], "shared fs", "0", "EPERM"), None);
    }

    #[test]
    fn a_change_of_the_user_needs_no_release() {
        let changes: Changes = toml::from_str("[[change]]\nreason = 'r'\n").unwrap();
        let any = difference("a", "b");
        assert_eq!(changes.reason([None, None], "s", "t", &any), Some("r"));
        assert!(toml::from_str::<Changes>("[[change]]\nreasons = 'r'\n").is_err());
    }

    #[test]
    fn a_release_is_three_numbers() {
        assert_eq!(release("6.12.117+deb13-amd64"), Some([6, 12, 117]));
        assert_eq!(release("7.4-rc1"), Some([7, 4, 0]));
        assert_eq!(release("next"), None);
    }
}
