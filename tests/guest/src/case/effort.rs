// SPDX-License-Identifier: GPL-2.0-only

//! The effort of a run: the short or the long form, the seed, and the shard.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

/// Options that decide how much an open-ended suite tests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    /// `true` for `make test-long`, `false` for `make test`.
    pub(crate) long: bool,
    /// The seed of random numbers.
    pub(crate) seed: u64,
    /// `true` to end at the first failed test.
    pub(crate) fail_fast: bool,
    pub(crate) shard: Shard,
}

/// One of several disjoint parts of about the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Starts at 1.
    number: usize,
    of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// Returns whether the shard contains the item with this index, which starts at 0.
    pub(crate) fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }

    /// Returns whether the shard contains all items.
    pub(crate) fn is_all(self) -> bool {
        self.of == 1
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || -> Option<Self> {
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&number).then_some(Self { number, of })
        };
        parse().ok_or("a shard is 1/N to N/N")
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The default seed of the short form.
const SEED: u64 = 1;

impl Effort {
    /// Uses the given seed. The default is constant in the short form, and random in the long form.
    pub(crate) fn new(
        long: bool,
        seed: Option<u64>,
        fail_fast: bool,
        shard: Option<Shard>,
    ) -> Self {
        let random = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(SEED, |since| since.as_nanos() as u64)
        };
        Self {
            long,
            seed: seed.unwrap_or_else(|| if long { random() } else { SEED }),
            fail_fast,
            shard: shard.unwrap_or_default(),
        }
    }

    /// Returns the value for the form of the run.
    pub(crate) fn pick<T>(self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    /// Returns the options that repeat a test in addition to its name, each after a space.
    pub(crate) fn options(self) -> String {
        let mut options = String::new();
        if self.long {
            options += " --long";
        }
        if self.seed != SEED {
            options += &format!(" --seed {}", self.seed);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_complete() {
        for of in 1..10 {
            let shards: Vec<Shard> = (1..=of)
                .map(|number| format!("{number}/{of}").parse().unwrap())
                .collect();
            for index in 0..100 {
                let has = shards.iter().filter(|shard| shard.has(index));
                assert_eq!(has.count(), 1, "{index} of {of}");
            }
        }
    }

    #[test]
    fn a_shard_out_of_range_is_refused() {
        for text in ["", "1", "0/1", "2/1", "1/0", "0/0", "a/2", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
