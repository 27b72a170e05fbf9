// SPDX-License-Identifier: GPL-2.0-only

use serde::{Deserialize, Serialize};
use std::{fmt, iter::Sum, ops::AddAssign};

/// The number of tests with each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u32,
    /// Tests and gates that failed.
    pub failed: u32,
    /// Tests that could not run.
    pub skipped: u32,
}

impl Counts {
    /// The counts of a program that did not report any.
    pub const ONE_FAILURE: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// Returns the counts in the last line of `output` that has some, as [`Display`](fmt::Display)
    /// formats them. Output without counts, or without a test, counts as a failure.
    pub fn of_output(output: &str) -> Self {
        let last = output.lines().rev().find_map(Self::parse);
        last.filter(|counts| *counts != Self::default())
            .unwrap_or(Self::ONE_FAILURE)
    }

    /// Parses `1 passed, 2 failed` or `1 passed, 2 failed, 3 skipped`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(", ");
        let mut next = |word: &str| parts.next()?.strip_suffix(word)?.parse().ok();
        let counts = Self {
            passed: next(" passed")?,
            failed: next(" failed")?,
            skipped: next(" skipped").unwrap_or(0),
        };
        // Rejects other text in the line.
        (counts.to_string() == line).then_some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counts_of_an_output_are_read() {
        let counts = |passed, failed, skipped| Counts {
            passed,
            failed,
            skipped,
        };
        for (output, expected) in [
            (
                "a\n2 passed, 1 failed\n3 passed, 0 failed\nb\n",
                counts(3, 0, 0),
            ),
            ("3 passed, 0 failed, 2 skipped\n", counts(3, 0, 2)),
            ("", counts(0, 1, 0)),
            ("0 passed, 0 failed\n", counts(0, 1, 0)),
            ("test result: ok. 1 passed, 0 failed\n", counts(0, 1, 0)),
            ("1 passed, 0 failed, 2 skipped, 3 more\n", counts(0, 1, 0)),
        ] {
            assert_eq!(Counts::of_output(output), expected, "{output:?}");
        }
    }
}
