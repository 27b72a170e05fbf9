// SPDX-License-Identifier: GPL-2.0-only

//! The effort of a run: the short or the long form, the seed, and the shard.

use nsproxy_results::Shard;
use std::time::{SystemTime, UNIX_EPOCH};

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
    /// `true` if a filter selects the tests.
    pub(crate) is_filtered: bool,
    /// `true` to send the behaviour of the kernel in each case to the host.
    pub(crate) record: bool,
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
        record: bool,
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
            is_filtered: false,
            record,
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
