// SPDX-License-Identifier: GPL-2.0-only

use serde::{Deserialize, Serialize};

/// The result of a suite, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Every test and every gate passed.
    Passed,
    /// A test failed, or a gate after the suite.
    Failed,
    /// Nothing was tested: the user named a test that does not exist.
    Usage,
    /// The guest exceeded its time limit, or hung.
    TimedOut,
    /// The kernel panicked or warned, or a sanitizer reported.
    Alarm,
    /// The guest exited without a verdict.
    Lost,
}

impl Class {
    /// Returns the exit status of a runner whose worst suite has this class.
    pub fn status(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimedOut => 124,
            Self::Alarm => 125,
            Self::Lost => 128,
        }
    }

    /// Returns the word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::Usage => "USAGE",
            Self::TimedOut => "TIMEOUT",
            Self::Alarm => "ALARM",
            Self::Lost => "LOST",
        }
    }

    /// Returns the name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::TimedOut => "timed-out",
            Self::Alarm => "alarm",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_result_files() {
        for class in [
            Class::Passed,
            Class::Failed,
            Class::Usage,
            Class::TimedOut,
            Class::Alarm,
            Class::Lost,
        ] {
            let name = serde_json::to_string(&class).unwrap();
            assert_eq!(name, format!("\"{}\"", class.name()));
        }
    }
}
