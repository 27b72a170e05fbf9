// SPDX-License-Identifier: GPL-2.0-only

//! Classifies the run of a guest by its exit, its messages and its verdict.

use crate::{kcsan, results::ktap::Printed, verdict::Verdict};
use nsproxy_results::{Class, Counts};

/// The end of a run of QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// QEMU exited by itself: the guest powered off or rebooted.
    Off,
    /// QEMU failed or was killed, with a message.
    Broken(String),
    /// The runner killed it after this many seconds.
    TimedOut(u64),
    /// The runner killed it after this many seconds without progress.
    Hung(u64),
}

/// The classified run, with a reason if it did not pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) class: Class,
    pub(crate) counts: Counts,
    pub(crate) why: Option<String>,
    /// The number of data races that do not involve the module.
    pub(crate) races_of_kernel: usize,
}

/// Classifies a run by its end, the kernel's messages, the verdict of the guest, and the tests that
/// its suite has reported.
pub(crate) fn classify(end: &End, console: &str, verdict: &Verdict, printed: &Printed) -> Outcome {
    let alarms = Alarms::of(console);
    let (class, why) = judge(end, &alarms, verdict, printed);
    let mut counts = printed.counts();
    counts.failed += verdict.failed_gates.len() as u32;
    // A failure that stopped the suite counts as one more.
    counts.failed += match class {
        Class::Passed => 0,
        Class::Failed if counts.failed > 0 => 0,
        _ => 1,
    };
    Outcome {
        class,
        counts,
        why,
        races_of_kernel: alarms.races_of_kernel,
    }
}

fn judge(
    end: &End,
    alarms: &Alarms<'_>,
    verdict: &Verdict,
    printed: &Printed,
) -> (Class, Option<String>) {
    if let Some(line) = alarms.first {
        return (Class::Alarm, Some(line.trim().to_owned()));
    }
    let test = match &printed.running {
        Some(name) => format!("in test \"{name}\""),
        None if verdict.counts.is_some() => "after the suite".to_owned(),
        None => "before the first test".to_owned(),
    };
    match end {
        End::TimedOut(seconds) => {
            let why = format!("still running after {seconds} s, {test}");
            return (Class::TimedOut, Some(why));
        }
        End::Hung(seconds) => {
            let why = format!("hung {test}: no progress for {seconds} s");
            return (Class::TimedOut, Some(why));
        }
        End::Off | End::Broken(_) => {}
    }
    let Some(pass) = verdict.pass else {
        let why = match end {
            End::Broken(why) => why.clone(),
            _ => "the guest exited without a verdict".to_owned(),
        };
        return (Class::Lost, Some(format!("{why}, {test}")));
    };
    if let Some(why) = &verdict.usage {
        return (Class::Usage, Some(why.clone()));
    }
    if !verdict.failed_gates.is_empty() {
        return (Class::Failed, Some(gates(verdict)));
    }
    let Some(counts) = verdict.counts else {
        let why = "the suite exited without a result".to_owned();
        return (Class::Failed, Some(why));
    };
    if counts.failed > 0 {
        let plural = if counts.failed == 1 { "test" } else { "tests" };
        return (
            Class::Failed,
            Some(format!("{} {plural} failed", counts.failed)),
        );
    }
    let reported = printed.counts();
    if counts != reported {
        let why = format!("the suite counted {counts}, and reported {reported}");
        return (Class::Failed, Some(why));
    }
    if let Some(why) = clock_fault(verdict) {
        return (Class::Failed, Some(why));
    }
    if counts == Counts::default() {
        let why = "no test was run".to_owned();
        return (Class::Failed, Some(why));
    }
    if !pass {
        let why = "the suite failed, although no test did".to_owned();
        return (Class::Failed, Some(why));
    }
    (Class::Passed, None)
}

/// Returns the fault of the guest's clock, if any. A clock that counts ticks is off by up to one
/// tick, 10 ms at 100 Hz, which is too coarse for tests of time.
fn clock_fault(verdict: &Verdict) -> Option<String> {
    match verdict.facts.get("clocksource") {
        None => Some("the guest did not name its clocksource".to_owned()),
        Some(name) if name.ends_with("jiffies") => {
            Some(format!("the clock of the guest counts ticks: {name}"))
        }
        Some(_) => None,
    }
}

fn gates(verdict: &Verdict) -> String {
    let gates = verdict.failed_gates.iter();
    let gates: Vec<_> = gates.map(|(name, why)| format!("{name}: {why}")).collect();
    format!("after the suite: {}", gates.join("; "))
}

/// Messages of the kernel that report a fault.
#[derive(Default)]
struct Alarms<'a> {
    first: Option<&'a str>,
    races_of_kernel: usize,
}

impl<'a> Alarms<'a> {
    fn of(console: &'a str) -> Self {
        let mut alarms = Self::default();
        let lines: Vec<_> = console.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if !is_alarm(line) {
                continue;
            }
            let is_race = message(line).starts_with(kcsan::BEGINNING);
            if is_race && !kcsan::is_of_module(lines[i..].iter().copied()) {
                alarms.races_of_kernel += 1;
            } else if alarms.first.is_none() {
                alarms.first = Some(line);
            }
        }
        alarms
    }
}

/// Returns a line without its time stamp, and without the task or CPU that some kernels add.
fn message(line: &str) -> &str {
    let mut line = line.trim_start();
    while let Some((_, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
        line = rest.trim_start();
    }
    line
}

/// Returns whether a line reports a fault.
fn is_alarm(line: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "BUG: ",
        "INFO: possible ",
        "INFO: rcu",
        "INFO: task ",
        "INFO: trying to register non-static key",
        "Kernel panic - not syncing",
        "Oops: ",
        "UBSAN: ",
        "WARNING: ",
        "general protection fault",
        "kernel BUG at ",
        "rcu: INFO: ",
        "refcount_t: ",
        "unregister_netdevice: waiting",
        "watchdog: BUG: ",
    ];
    let line = message(line);
    BEGINNINGS
        .iter()
        .any(|beginning| line.starts_with(beginning))
        || line.starts_with("kmemleak: ") && line.contains("new suspected memory leaks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{self, Test};

    /// Returns as many tests as the guest has counted.
    fn printed(verdict: &Verdict) -> Printed {
        let Counts {
            passed,
            failed,
            skipped,
        } = verdict.counts.unwrap_or_default();
        let tests = [
            (passed, results::Outcome::Passed),
            (failed, results::Outcome::Failed),
            (skipped, results::Outcome::Skipped(String::new())),
        ];
        let tests = tests.into_iter().flat_map(|(count, outcome)| {
            (0..count).map(move |number| Test {
                name: number.to_string(),
                outcome: outcome.clone(),
                said: Vec::new(),
            })
        });
        Printed {
            tests: tests.collect(),
            running: None,
        }
    }

    fn class(end: End, console: &str, verdict: &str) -> (Class, Counts, String) {
        let verdict = Verdict::parse(verdict);
        let outcome = classify(&end, console, &verdict, &printed(&verdict));
        (
            outcome.class,
            outcome.counts,
            outcome.why.unwrap_or_default(),
        )
    }

    const GOOD: &str = "fact clocksource tsc\nresult passed=2 failed=0 skipped=1\n\
         gate taint ok\nverdict pass\n";

    #[test]
    fn a_pass_requires_result_clock_and_verdict() {
        assert_eq!(class(End::Off, "all is well", GOOD).0, Class::Passed);
        for (missing, expected) in [
            ("result", Class::Failed),
            ("clocksource", Class::Failed),
            ("verdict", Class::Lost),
        ] {
            let verdict: Vec<_> = GOOD
                .lines()
                .filter(|line| !line.contains(missing))
                .collect();
            let (class, counts, _) = class(End::Off, "", &verdict.join("\n"));
            assert_eq!(class, expected, "without {missing}");
            assert_eq!(counts.failed, 1, "without {missing}");
        }
    }

    #[test]
    fn an_alarm_counts_more_than_a_verdict() {
        for line in [
            "BUG: KASAN: slab-use-after-free in x+0x1/0x2",
            "[    3.141592] WARNING: possible circular locking dependency detected",
            "[ 1.0][    T1] Kernel panic - not syncing: dumptest",
            "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
        ] {
            let (class, _, why) = class(End::Off, &format!("hello\n{line}\n"), GOOD);
            assert_eq!((class, why.as_str()), (Class::Alarm, line));
        }
    }

    #[test]
    fn a_race_is_an_alarm_if_it_is_the_modules() {
        let kernels = kcsan::tests::report("exit_mm", "do_task_stat");
        let ours = kcsan::tests::report("exit_mm", "nsproxy_rs_nsproxy_dec");
        let verdict = Verdict::parse(GOOD);
        let outcome = |console: &str| classify(&End::Off, console, &verdict, &printed(&verdict));
        let two = outcome(&kernels.repeat(2));
        assert_eq!((two.class, two.races_of_kernel), (Class::Passed, 2));
        let both = outcome(&format!("{kernels}{ours}"));
        assert_eq!((both.class, both.races_of_kernel), (Class::Alarm, 1));
        assert!(both.why.is_some_and(|why| why.contains("nsproxy_rs")));
        // Other faults count even with races of the kernel.
        let other = outcome(&format!("{kernels}BUG: sleeping function called\n"));
        assert_eq!(other.class, Class::Alarm);
        assert_eq!(outcome("BUG: KASAN: exit_mm\n").class, Class::Alarm);
    }

    #[test]
    fn harmless_messages_are_no_alarm() {
        for line in [
            "kmemleak: Kernel memory leak detector initialized",
            "UBSAN is on",
        ] {
            assert_eq!(class(End::Off, line, GOOD).0, Class::Passed, "{line}");
        }
    }

    #[test]
    fn failures_are_counted() {
        let text = "result passed=2 failed=1 skipped=0\ngate rmmod fail in use\nverdict fail\n";
        let (class, counts, why) = class(End::Off, "", text);
        assert_eq!((class, counts.failed), (Class::Failed, 2));
        assert!(why.contains("rmmod: in use"), "{why}");
    }

    #[test]
    fn a_failure_that_stops_a_suite_counts_as_one_more() {
        let printed = results::ktap::read("ok 1 a\nnot ok 2 b\nok 3 c # SKIP d\n# begin e\n");
        let outcome = classify(&End::Hung(5), "", &Verdict::default(), &printed);
        let Counts {
            passed,
            failed,
            skipped,
        } = outcome.counts;
        assert_eq!((passed, failed, skipped), (1, 2, 1));
        // A failed test does not count its suite as one more failure.
        let verdict = Verdict::parse("result passed=1 failed=1 skipped=1\nverdict fail\n");
        let outcome = classify(&End::Off, "", &verdict, &printed);
        assert_eq!(outcome.counts.failed, 1);
    }

    #[test]
    fn no_test_is_no_pass() {
        let text = GOOD.replace("passed=2 failed=0 skipped=1", "passed=0 failed=0 skipped=0");
        let (class, counts, why) = class(End::Off, "", &text);
        assert_eq!((class, counts.failed), (Class::Failed, 1));
        assert_eq!(why, "no test was run");
    }

    #[test]
    fn the_counts_must_match_the_reported_tests() {
        let reported = results::ktap::read("ok 1 a\nok 2 b\n");
        // The suite counted one test more than it reported.
        let outcome = classify(&End::Off, "", &Verdict::parse(GOOD), &reported);
        assert_eq!((outcome.class, outcome.counts.failed), (Class::Failed, 1));
        assert_eq!(
            outcome.why.as_deref(),
            Some(
                "the suite counted 2 passed, 0 failed, 1 skipped, and reported 2 passed, 0 failed"
            )
        );
    }

    #[test]
    fn a_clock_of_ticks_fails() {
        for name in ["jiffies", "refined-jiffies"] {
            let (class, counts, why) = class(End::Off, "", &GOOD.replace("tsc", name));
            assert_eq!((class, counts.failed), (Class::Failed, 1));
            assert!(why.contains(name), "{why}");
        }
        for name in ["tsc-early", "kvm-clock", "hpet"] {
            assert_eq!(
                class(End::Off, "", &GOOD.replace("tsc", name)).0,
                Class::Passed
            );
        }
    }

    #[test]
    fn a_timeout_and_a_broken_qemu() {
        assert_eq!(class(End::TimedOut(5), "", GOOD).0, Class::TimedOut);
        let (class, _, why) = class(End::Broken("killed by signal 9".to_owned()), "", "");
        let expected = "killed by signal 9, before the first test";
        assert_eq!((class, why.as_str()), (Class::Lost, expected));
    }

    #[test]
    fn a_hang_names_its_test() {
        for (end, output, verdict, expected) in [
            (
                End::Hung(5),
                "# begin net: one\nok 1 net: one\n# begin net: two\n",
                "suite kinds\n",
                "hung in test \"net: two\": no progress for 5 s",
            ),
            (
                End::Hung(5),
                "",
                "suite kinds\n",
                "hung before the first test: no progress for 5 s",
            ),
            (
                End::Hung(5),
                "# begin a\nok 1 a\n",
                "result passed=1 failed=0 skipped=0\n",
                "hung after the suite: no progress for 5 s",
            ),
            (
                End::TimedOut(9),
                "# begin a\n",
                "",
                "still running after 9 s, in test \"a\"",
            ),
        ] {
            let verdict = Verdict::parse(verdict);
            let outcome = classify(&end, "", &verdict, &results::ktap::read(output));
            assert_eq!(outcome.class, Class::TimedOut);
            assert_eq!(outcome.why.as_deref(), Some(expected));
            assert_eq!(outcome.counts.failed, 1);
        }
    }

    #[test]
    fn a_test_that_does_not_exist_is_no_pass() {
        let text = "usage kinds has no test \"x\"\nverdict fail\n";
        let (class, _, why) = class(End::Off, "", text);
        assert_eq!((class, class.status()), (Class::Usage, 2));
        assert_eq!(why, "kinds has no test \"x\"");
    }
}
