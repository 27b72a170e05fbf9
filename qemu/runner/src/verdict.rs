// SPDX-License-Identifier: GPL-2.0-only

//! The lines that a guest sends on its verdict port. The last one is `verdict pass` or
//! `verdict fail`.

use nsproxy_results::{Behaviour, Counts, RecordedCase};
use std::collections::BTreeMap;

/// The content of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The counts of the suite.
    pub(crate) counts: Option<Counts>,
    /// The summaries of the suite, one line.
    pub(crate) summary: Option<String>,
    /// The facts that the suite reported, by name.
    pub(crate) facts: BTreeMap<String, String>,
    /// The behaviour of the kernel in each case, if it was recorded.
    pub(crate) cases: BTreeMap<String, Behaviour>,
    /// A usage error: a test that does not exist.
    pub(crate) usage: Option<String>,
    /// The gates that failed after the suite: name and reason.
    pub(crate) failed_gates: Vec<(String, String)>,
    /// The last line; [`None`] if it is not a verdict.
    pub(crate) pass: Option<bool>,
}

impl Verdict {
    /// Parses the lines. Unknown lines are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let mut verdict = Self::default();
        for line in text.lines() {
            // A verdict must be the last line.
            verdict.pass = None;
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "result" => verdict.counts = counts(rest),
                "usage" => verdict.usage = Some(rest.to_owned()),
                "summary" => verdict.add_summary(rest),
                "case" => {
                    if let Ok(RecordedCase { name, behaviour }) = serde_json::from_str(rest) {
                        verdict.cases.insert(name, behaviour);
                    }
                }
                "fact" => {
                    let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                    verdict.facts.insert(name.to_owned(), value.to_owned());
                }
                "gate" => {
                    let mut words = rest.splitn(3, ' ');
                    let name = words.next().unwrap_or_default();
                    if words.next() != Some("ok") {
                        let why = words.next().unwrap_or_default();
                        verdict.failed_gates.push((name.to_owned(), why.to_owned()));
                    }
                }
                "verdict" => {
                    verdict.pass = match rest {
                        "pass" => Some(true),
                        "fail" => Some(false),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        verdict
    }

    /// Adds a summary to the line.
    pub(crate) fn add_summary(&mut self, text: &str) {
        let summary = self.summary.get_or_insert_default();
        if !summary.is_empty() {
            summary.push_str("; ");
        }
        summary.push_str(text);
    }
}

/// Parses `passed=1 failed=2 skipped=3`.
fn counts(text: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut seen = 0;
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=')?;
        *match name {
            "passed" => &mut counts.passed,
            "failed" => &mut counts.failed,
            "skipped" => &mut counts.skipped,
            _ => return None,
        } = value.parse().ok()?;
        seen += 1;
    }
    (seen == 3).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass() {
        let text = "suite a\nresult passed=3 failed=0 skipped=1\ngate taint ok\nverdict pass\n";
        let expected = Verdict {
            counts: Some(Counts {
                passed: 3,
                failed: 0,
                skipped: 1,
            }),
            pass: Some(true),
            ..Verdict::default()
        };
        assert_eq!(Verdict::parse(text), expected);
    }

    #[test]
    fn a_summary_and_facts() {
        let verdict = Verdict::parse("summary 3 cases, 0 differ\nfact a.b c d\nfact e\n");
        assert_eq!(verdict.summary.as_deref(), Some("3 cases, 0 differ"));
        let two = Verdict::parse("summary a\nsummary b\n");
        assert_eq!(two.summary.as_deref(), Some("a; b"));
        let facts = [("a.b", "c d"), ("e", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(verdict.facts, facts.into());
    }

    #[test]
    fn cases_are_recorded() {
        let text = r#"case {"name":"a b","result":"success","changes":{"ns/uts":"new: ns/uts"}}
case {"name":"c","result":"EPERM"}
case {"name":"cut of"#;
        let cases = Verdict::parse(text).cases;
        let names: Vec<_> = cases.keys().collect();
        assert_eq!(names, ["a b", "c"]);
        assert_eq!(cases["a b"].changes["ns/uts"], "new: ns/uts");
        assert_eq!(cases["c"].result, "EPERM");
    }

    #[test]
    fn a_gate_says_why() {
        let verdict = Verdict::parse("gate rmmod fail it is in use\nverdict fail\n");
        let why = ("rmmod".to_owned(), "it is in use".to_owned());
        assert_eq!(verdict.failed_gates, [why]);
        assert_eq!(verdict.pass, Some(false));
    }

    #[test]
    fn silence_and_noise_are_no_pass() {
        for text in ["", "verdict", "verdict passed", "verdict pass\nsuite b\n"] {
            assert_eq!(Verdict::parse(text).pass, None, "{text:?}");
        }
        for text in ["passed=1 failed=0", "passed=x failed=0 skipped=0", ""] {
            assert_eq!(counts(text), None, "{text:?}");
        }
    }
}
