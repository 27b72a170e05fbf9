// SPDX-License-Identifier: GPL-2.0-only

use std::{fmt, str::FromStr};

/// One of several parts of about the same size that together are the whole: `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    number: usize,
    of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// Returns whether the item with this index, from 0, belongs to the shard.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }

    /// Returns whether the shard is the whole.
    pub fn is_all(self) -> bool {
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
                let owners = shards.iter().filter(|shard| shard.has(index));
                assert_eq!(owners.count(), 1);
            }
        }
    }

    #[test]
    fn only_a_part_of_a_whole_is_a_shard() {
        for text in ["1/1", "2/3", "3/3"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "0/3", "4/3", "1", "1/0", "/", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
