// SPDX-License-Identifier: GPL-2.0-only

//! The results of a run, in files for other programs: KTAP, JUnit's XML, KernelCI's JSON.
//!
//! The files and the terminal have the same counts. A failure besides the tests of a suite is a
//! test of its own in all of them: each gate, and [`GUEST`] if the guest itself failed. So no file
//! shows such a suite as passed.

mod arrivals;
mod junit;
mod kernelci;
pub(crate) mod ktap;

pub(crate) use arrivals::Arrivals;

use crate::{cli::RunArgs, guest, kernel::Kernel, qemu, report::Line, suite};
use anyhow::{Context as _, Result};
use chrono::DateTime;
use ktap::Printed;
use nsproxy_results::{Class, Counts, Source};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

/// The test that fails if the guest itself failed: by a panic, a warning, a hang, or a count that
/// differs from the reported tests.
const GUEST: &str = "the guest";

/// A run: some suites on one kernel.
pub(crate) struct Run<'a> {
    kernel: &'a Kernel,
    /// The accelerator of the guests: KVM or emulation.
    accel: &'a str,
    seed: Option<u64>,
    /// The names of the suites that are to run.
    planned: Vec<String>,
    source: Source,
    began: SystemTime,
}

/// A suite that was run.
struct Suite {
    name: String,
    took: Duration,
    /// Names and values that programs show beside the results.
    properties: Vec<(&'static str, String)>,
    tests: Vec<Test>,
    /// The duration of each test, where it is known.
    times: Vec<Option<Duration>>,
}

/// One of its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    /// The lines that it printed.
    pub(crate) said: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// The reason why it could not run.
    Skipped(String),
    /// A failure that is not of a test, such as a panic.
    Error(String),
}

impl<'a> Run<'a> {
    /// Begins a run of these suites.
    pub(crate) fn new(
        kernel: &'a Kernel,
        accel: &'a str,
        args: &RunArgs,
        suites: &[suite::Suite],
    ) -> Self {
        Self {
            kernel,
            accel,
            seed: args.seed,
            planned: suites.iter().map(ToString::to_string).collect(),
            source: Source {
                release: kernel.release().map(str::to_owned),
                commit: commit(&args.guest.qemu_dir),
                date: date(SystemTime::now()),
            },
            began: SystemTime::now(),
        }
    }

    /// Returns the origin of the results.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Writes `run.ktap`, `run.xml` and `run.json`. In each a suite that has not run yet has
    /// failed: a run that ends early passed in no file. Each file is replaced as a whole, so a
    /// runner that is killed never leaves half of one.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(crate) fn write(&self, dir: &Path, lines: &[Line]) -> Result<()> {
        let missing = |name: &&String| !lines.iter().any(|line| line.suite == **name);
        let missing = self.planned.iter().filter(missing);
        let suites: Vec<_> = lines
            .iter()
            .map(|line| self.suite(line))
            .chain(missing.map(|name| Suite::not_run(name)))
            .collect();
        for (name, content) in [
            ("run.ktap", ktap::write(&suites)),
            ("run.xml", junit::write(&self.kernel.name, &suites)?),
            ("run.json", kernelci::write(&self.into(), &suites)?),
        ] {
            let [new, path] = [format!("{name}.new"), name.to_owned()].map(|name| dir.join(name));
            fs::write(&new, content)
                .and_then(|()| fs::rename(&new, &path))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn suite(&self, line: &Line) -> Suite {
        let ran = &line.ran;
        let mut tests = ran.printed.tests.clone();
        let output = guest::read(&ran.dir.join(qemu::OUTPUT));
        let times = line.arrivals.times(&output, ktap::is_result);
        let mut times: Vec<_> = times.into_iter().map(Some).collect();
        tests.extend(besides(line, &tests));
        // Tests that the suite did not print have no arrival time.
        times.resize(tests.len(), None);
        rename_doubles(&mut tests);
        Suite {
            name: line.suite.clone(),
            took: ran.took,
            properties: self.properties(line),
            tests,
            times,
        }
    }

    fn properties(&self, line: &Line) -> Vec<(&'static str, String)> {
        let facts = &line.ran.verdict.facts;
        [
            ("kernel", Some(self.kernel.name.clone())),
            ("release", self.source.release.clone()),
            ("commit", self.source.commit.clone()),
            ("accelerator", Some(self.accel.to_owned())),
            ("clocksource", facts.get("clocksource").cloned()),
            ("seed", self.seed.map(|seed| seed.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

impl Suite {
    /// A suite that is still to run.
    fn not_run(name: &str) -> Self {
        let why = "not run".to_owned();
        Self {
            name: name.to_owned(),
            took: Duration::ZERO,
            properties: Vec::new(),
            tests: vec![Test {
                name: GUEST.to_owned(),
                outcome: Outcome::Error(why.clone()),
                said: vec![why],
            }],
            times: vec![None],
        }
    }
}

/// Reads the tests that the suite of the guest in `dir` has reported: in its output, or on the
/// verdict port if the output is written for users.
pub(crate) fn printed(dir: &Path) -> Printed {
    let [output, verdict] =
        [qemu::OUTPUT, qemu::VERDICT].map(|log| ktap::read(&guest::read(&dir.join(log))));
    match output.tests.is_empty() && !verdict.tests.is_empty() {
        true => verdict,
        false => output,
    }
}

fn count(tests: &[Test]) -> Counts {
    let mut counts = Counts::default();
    for test in tests {
        *match test.outcome {
            Outcome::Passed => &mut counts.passed,
            Outcome::Skipped(_) => &mut counts.skipped,
            Outcome::Failed | Outcome::Error(_) => &mut counts.failed,
        } += 1;
    }
    counts
}

/// Returns the failures besides the tests of the suite, as tests. Their number is the one that
/// [`classify()`](crate::classify::classify) counts.
fn besides(line: &Line, tests: &[Test]) -> Vec<Test> {
    let outcome = &line.ran.outcome;
    let test = |name: String, outcome, why: &str| Test {
        name,
        outcome,
        said: vec![why.to_owned()],
    };
    let gates = line.ran.verdict.failed_gates.iter();
    let mut besides: Vec<_> = gates
        .map(|(name, why)| test(format!("gate {name}"), Outcome::Failed, why))
        .collect();
    let why = outcome.why.as_deref().unwrap_or_default();
    let is_explained =
        !besides.is_empty() || tests.iter().any(|test| test.outcome == Outcome::Failed);
    match outcome.class {
        Class::Passed => {}
        Class::Failed if is_explained => {}
        Class::Failed => besides.push(test(GUEST.to_owned(), Outcome::Failed, why)),
        _ => besides.push(test(GUEST.to_owned(), Outcome::Error(why.to_owned()), why)),
    }
    besides
}

/// Makes the names of the tests of a suite unique, since programs compare runs by name.
fn rename_doubles(tests: &mut [Test]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for Test { name, .. } in tests {
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            *name = format!("{name} ({count})");
        }
    }
}

/// Returns the commit of the source in `dir`, with `-dirty` if it was changed. [`None`] where it is
/// not from git.
fn commit(dir: &Path) -> Option<String> {
    let git = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args([
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
            "--abbrev=40",
        ])
        .output()
        .ok()?;
    let commit = String::from_utf8(git.stdout).ok()?;
    git.status.success().then(|| commit.trim().to_owned())
}

/// Returns the day of a time in UTC, as `YYYY-MM-DD`.
fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs().try_into();
    let time = DateTime::from_timestamp(seconds.unwrap_or_default(), 0);
    time.unwrap_or_default().date_naive().to_string()
}

#[cfg(test)]
fn examples() -> Vec<Suite> {
    let test = |name: &str, outcome, said: &[&str]| Test {
        name: name.to_owned(),
        outcome,
        said: said.iter().map(|line| (*line).to_owned()).collect(),
    };
    let suite = |name: &str, tests: Vec<Test>| Suite {
        name: name.to_owned(),
        took: Duration::from_millis(1500),
        properties: vec![("commit", "1234-dirty".to_owned())],
        times: vec![Some(Duration::from_millis(20)); tests.len()],
        tests,
    };
    let skipped = Outcome::Skipped("no <time>".to_owned());
    let panicked = Outcome::Error("Kernel panic".to_owned());
    vec![
        suite(
            "kinds",
            vec![
                test("net: a & b", Outcome::Passed, &[]),
                test(
                    "uts",
                    Outcome::Failed,
                    &["setns(2): 1", "device: \u{1b}[2m"],
                ),
                test("time", skipped, &[]),
            ],
        ),
        suite("errno@4", vec![test(GUEST, panicked, &["Kernel panic"])]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classify::{End, classify},
        guest::Ran,
        report,
        verdict::Verdict,
    };

    /// Returns the line of a suite with this output, verdict port (`told`) and console.
    fn line(dir: &Path, end: End, output: &str, told: &str, console: &str) -> Line {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join(qemu::OUTPUT), output).unwrap();
        fs::write(dir.join(qemu::VERDICT), told).unwrap();
        let verdict = Verdict::parse(told);
        let printed = printed(dir);
        Line {
            suite: "kinds".to_owned(),
            ran: Ran {
                outcome: classify(&end, console, &verdict, &printed),
                verdict,
                took: Duration::from_secs(1),
                printed,
                dir: dir.to_owned(),
            },
            arrivals: Arrivals::default(),
        }
    }

    #[test]
    fn the_terminal_and_the_files_count_the_same() {
        let scratch = std::env::temp_dir().join(format!("nsproxy-results.{}", std::process::id()));
        let dir = &scratch.join("kinds");
        let kernel = Kernel::example("lab");
        let run = Run {
            kernel: &kernel,
            accel: "emulation",
            seed: Some(1),
            planned: vec!["kinds".to_owned()],
            source: Source::default(),
            began: SystemTime::UNIX_EPOCH,
        };
        let tests = "ok 1 a\nok 2 b # SKIP c\n# d\nnot ok 3 e\nok 4 a\n";
        let clock = "fact clocksource tsc\n";
        let result = "result passed=2 failed=1 skipped=1\n";
        let good = &tests.replace("not ok", "ok");
        let passed = "result passed=3 failed=0 skipped=1\n";
        for (what, end, output, told, console, failed) in [
            (
                "a pass",
                End::Off,
                good,
                format!("{clock}{passed}verdict pass\n"),
                "",
                0,
            ),
            (
                "a failed test",
                End::Off,
                &tests.to_owned(),
                format!("{clock}{result}verdict fail\n"),
                "",
                1,
            ),
            (
                "a gate",
                End::Off,
                good,
                format!("{clock}{passed}gate rmmod fail no\nverdict fail\n"),
                "",
                1,
            ),
            (
                "both",
                End::Off,
                &tests.to_owned(),
                format!("{clock}{result}gate rmmod fail no\nverdict fail\n"),
                "",
                2,
            ),
            (
                "no clock",
                End::Off,
                good,
                format!("{passed}verdict pass\n"),
                "",
                1,
            ),
            (
                "a warning",
                End::Off,
                &tests.to_owned(),
                format!("{clock}{result}verdict fail\n"),
                "WARNING: x\n",
                2,
            ),
            (
                "a hang",
                End::TimedOut(9),
                &tests.to_owned(),
                clock.to_owned(),
                "",
                2,
            ),
            ("silence", End::Off, good, clock.to_owned(), "", 1),
            (
                "a story",
                End::Off,
                &String::new(),
                format!(
                    "{clock}ok 1 x\nnot ok 2 y\nresult passed=1 failed=1 skipped=0\nverdict fail\n"
                ),
                "",
                1,
            ),
        ] {
            let lines = [line(dir, end, output, &told, console)];
            let terminal = report::sum(&lines);
            assert_eq!(terminal.failed, failed, "{what}");
            assert_eq!(count(&run.suite(&lines[0]).tests), terminal, "{what}");

            run.write(&scratch, &lines).unwrap();
            let read = |name: &str| fs::read_to_string(scratch.join(name)).unwrap();
            // The last line of KTAP is that of the suite.
            let ktap = read("run.ktap");
            let (ktap, _) = ktap.trim_end().rsplit_once('\n').unwrap();
            assert_eq!(ktap::read(ktap).counts(), terminal, "{what}");
            assert_eq!(junit::tests::counts(&read("run.xml")), terminal, "{what}");
            assert_eq!(
                kernelci::tests::counts(&read("run.json")),
                terminal,
                "{what}"
            );
        }
        // Another suite was to run, and did not.
        let planned = ["kinds", "errno"].map(str::to_owned).to_vec();
        let lines = [line(
            dir,
            End::Off,
            good,
            &format!("{clock}{passed}verdict pass\n"),
            "",
        )];
        Run { planned, ..run }.write(&scratch, &lines).unwrap();
        let ktap = fs::read_to_string(scratch.join("run.ktap")).unwrap();
        assert!(ktap.ends_with("\nnot ok 2 errno\n"), "{ktap}");
        let junit = fs::read_to_string(scratch.join("run.xml")).unwrap();
        assert_eq!(junit::tests::counts(&junit).failed, 1);
        fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn a_date_is_a_day() {
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_900_000);
        assert_eq!(date(day), "2026-07-01");
    }

    #[test]
    fn names_are_unique() {
        let mut suites = examples();
        suites[0].tests[1].name = suites[0].tests[0].name.clone();
        rename_doubles(&mut suites[0].tests);
        assert_eq!(suites[0].tests[0].name, "net: a & b");
        assert_eq!(suites[0].tests[1].name, "net: a & b (2)");
    }
}
