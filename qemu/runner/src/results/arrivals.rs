// SPDX-License-Identifier: GPL-2.0-only

//! How long the tests of a suite took, by when their lines arrived. The clock is the host's: that
//! of a guest stands still when the guest does.

use std::time::{Duration, Instant};

/// When the lines that a guest printed arrived, to within the 20 ms between two looks at them.
pub(crate) struct Arrivals {
    begun: Instant,
    lines: usize,
    /// How many lines there were, and when.
    seen: Vec<(usize, Duration)>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            lines: 0,
            seen: Vec::new(),
        }
    }
}

impl Arrivals {
    /// Notes that the guest has printed more.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        self.note_at(bytes, self.begun.elapsed());
    }

    fn note_at(&mut self, bytes: &[u8], now: Duration) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        if lines > 0 {
            self.lines += lines;
            self.seen.push((self.lines, now));
        }
    }

    /// Returns how long each test took whose result is a line of `output`: from the line before
    /// that was a result, and for the first one from the first line.
    pub(super) fn times(&self, output: &str, is_result: impl Fn(&str) -> bool) -> Vec<Duration> {
        let mut seen = self.seen.iter().peekable();
        let mut arrival = |line: usize| {
            while seen.next_if(|(lines, _)| *lines <= line).is_some() {}
            seen.peek().map(|(_, time)| *time)
        };
        let mut last = None;
        let mut times = Vec::new();
        for (number, line) in output.lines().enumerate() {
            // The last line may have no end.
            let Some(now) = arrival(number).or(last) else {
                break;
            };
            let before = *last.get_or_insert(now);
            if is_result(line) {
                times.push(now - before);
                last = Some(now);
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_takes_the_time_between_two_results() {
        let mut arrivals = Arrivals::default();
        let output = "KTAP\n1..3\nok 1\nok 2\n# why\nok 3\n";
        for (bytes, ms) in [
            ("KTAP\n1..", 100),
            ("3\n", 120),
            ("ok 1\nok", 150),
            (" 2\n# why\n", 170),
            ("ok 3\n", 300),
        ] {
            arrivals.note_at(bytes.as_bytes(), Duration::from_millis(ms));
        }
        let times = arrivals.times(output, |line| line.starts_with("ok"));
        let ms: Vec<_> = times.iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [50, 20, 130]);
    }
}
