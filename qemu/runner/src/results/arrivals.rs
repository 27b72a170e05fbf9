// SPDX-License-Identifier: GPL-2.0-only

//! The duration of each test of a suite, by the arrival of its output. The host's clock measures
//! it, since the clock of a guest stops with the guest.

use std::time::{Duration, Instant};

/// The arrival times of a guest's output lines, polled every 20 ms.
pub(crate) struct Arrivals {
    begun: Instant,
    lines: usize,
    /// The total number of lines at each time.
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
    /// Records the arrival of more output.
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

    /// Returns the duration of each test whose result is a line of `output`: the time since the
    /// previous result, or since the first line for the first test.
    pub(super) fn times(&self, output: &str, is_result: impl Fn(&str) -> bool) -> Vec<Duration> {
        let mut seen = self.seen.iter().peekable();
        let mut arrival = |line: usize| {
            while seen.next_if(|(lines, _)| *lines <= line).is_some() {}
            seen.peek().map(|(_, time)| *time)
        };
        let mut last = None;
        let mut times = Vec::new();
        for (number, line) in output.lines().enumerate() {
            // The last line may be incomplete.
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
