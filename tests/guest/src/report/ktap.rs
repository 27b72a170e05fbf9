// SPDX-License-Identifier: GPL-2.0-only

//! Tests, and their results as the Kernel Test Anything Protocol (KTAP), version 1.

use crate::{
    case::{effort::Effort, fixtures::Fixtures},
    report::verdict_port,
};
use anyhow::{Result, bail, ensure};
use std::{
    cmp::Reverse,
    collections::HashSet,
    fmt::{self, Write as _},
    io::{self, Write as _},
    mem,
};

/// A test: a name, and a function that decides the result.
pub(crate) struct Test {
    pub(crate) name: String,
    run: Run,
    /// `true` for a test that sums up those before it, and runs only with all of them.
    is_conclusion: bool,
}

type Run = Box<dyn FnOnce(&mut Fixtures) -> Result<()>>;

impl Test {
    /// Creates a test that passes if `run` returns `Ok`, and is skipped if it returns a [`Skip`].
    pub(crate) fn new(
        name: impl Into<String>,
        run: impl FnOnce(&mut Fixtures) -> Result<()> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            is_conclusion: false,
        }
    }

    /// Creates a skipped test, for a situation that cannot be tested.
    pub(crate) fn skipped(name: impl Into<String>, why: &'static str) -> Self {
        Self::new(name, move |_| Err(Skip::because(why)))
    }

    /// Skips the test in a guest without the module.
    pub(crate) fn of_module(self) -> Self {
        let Self { run, .. } = self;
        Self {
            run: Box::new(|fixtures| {
                fixtures.module.require_loaded()?;
                run(fixtures)
            }),
            ..self
        }
    }

    /// Marks the test as one about all tests before it, which cannot run alone.
    pub(crate) fn of_suite(self) -> Self {
        Self {
            is_conclusion: true,
            ..self
        }
    }
}

/// Characters that no name of a test contains: they have a meaning for a shell, for a directive of
/// KTAP or on the kernel's command line.
const FORBIDDEN: &str = "'\"`$&()#;|<>*?\\~!{}[]";

fn is_odd(c: char) -> bool {
    !(c == ' ' || c.is_ascii_graphic()) || FORBIDDEN.contains(c)
}

/// Checks that a name can be pasted into any shell between apostrophes.
fn check_name(name: &str) -> Result<()> {
    if let Some(c) = name.chars().find(|c| is_odd(*c)) {
        bail!("the name of this test contains {c:?}, which a shell may interpret");
    }
    ensure!(
        !name.is_empty() && name.trim() == name,
        "the name of this test begins or ends with a space, or is empty"
    );
    Ok(())
}

/// Converts another program's name of a test to a valid name.
pub(crate) fn plain_name(name: &str) -> String {
    let plain = |c: char| if is_odd(c) { '_' } else { c };
    name.trim().chars().map(plain).collect()
}

/// A usage error: the named test cannot be run.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl Usage {
    /// Creates the error for a single test of `suite`, which has none.
    pub(crate) fn no_single_tests(suite: &str) -> anyhow::Error {
        Self(format!("{suite} runs as a whole: it has no single tests")).into()
    }

    /// Creates the error for a `filter` that none of `names` contains.
    pub(crate) fn no_such_test(
        suite: &str,
        filter: &str,
        names: impl Iterator<Item = String>,
    ) -> anyhow::Error {
        let near = near(filter, names).join("\" or \"");
        Self(format!(
            "{suite} has no test \"{filter}\"; it has \"{near}\""
        ))
        .into()
    }
}

/// Returns the few names that have the most words in common with `wanted`.
fn near(wanted: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    const FEW: usize = 3;
    let words = |text: &str| -> Vec<String> {
        let text = text.to_lowercase();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_owned).collect()
    };
    let wanted = words(wanted);
    let mut names: Vec<_> = names
        .map(|name| {
            let words = words(&name);
            let common = wanted.iter().filter(|word| words.contains(word)).count();
            (common, name)
        })
        .collect();
    names.sort_by_key(|(common, _)| Reverse(*common));
    names.into_iter().take(FEW).map(|(_, name)| name).collect()
}

/// The error that skips a test instead of failing it.
#[derive(Debug)]
pub(crate) struct Skip(String);

impl Skip {
    /// Creates an error that skips the test which returns it.
    pub(crate) fn because(why: impl Into<String>) -> anyhow::Error {
        Self(why.into()).into()
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// The numbers of test results.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// Returns whether at least one test passed and none failed.
    pub(crate) fn is_pass(self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Sends the numbers to the host.
    pub(crate) fn report(self) -> Result<()> {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        verdict_port::send_line(&format!(
            "result passed={passed} failed={failed} skipped={skipped}"
        ))
    }
}

/// Prints and counts the results of tests.
///
/// A result is written together with the name of the next test, since each write to the console is
/// an exit from the guest.
pub(crate) struct Printer {
    suite: &'static str,
    effort: Effort,
    tally: Tally,
    names: HashSet<String>,
    /// Lines that are not written yet.
    pending: String,
}

impl Printer {
    /// Prints the number of tests.
    pub(crate) fn new(suite: &'static str, total: usize, effort: Effort) -> Self {
        println!("KTAP version 1\n1..{total}");
        Self {
            suite,
            effort,
            tally: Tally::default(),
            names: HashSet::new(),
            pending: String::new(),
        }
    }

    /// Announces the next test, which the host reports if the guest hangs or dies.
    pub(crate) fn begin(&mut self, name: &str) {
        self.add(format_args!("# begin {name}"));
        self.flush();
    }

    fn add(&mut self, line: impl fmt::Display) {
        let _ = writeln!(self.pending, "{line}");
    }

    fn flush(&mut self) {
        print!("{}", mem::take(&mut self.pending));
        // The last line before a panic must reach the host.
        let _ = io::stdout().flush();
    }

    /// Prints the result of the next test. Returns whether to continue.
    pub(crate) fn print(&mut self, name: &str, result: Result<()>) -> bool {
        self.print_result(&format!(" '{name}'"), name, result)
    }

    /// Prints the result of a test that sums up those before it. Only the suite reproduces it.
    pub(crate) fn print_conclusion(&mut self, name: &str, result: Result<()>) -> bool {
        self.print_result("", name, result)
    }

    fn print_result(&mut self, again: &str, name: &str, result: Result<()>) -> bool {
        let result = self.register(name).and(result);
        let tally = self.tally;
        let number = tally.passed + tally.failed + tally.skipped + 1;
        match result {
            Ok(()) => {
                self.tally.passed += 1;
                self.add(format_args!("ok {number} {name}"));
            }
            Err(e) => match e.downcast_ref::<Skip>() {
                Some(why) => {
                    self.tally.skipped += 1;
                    self.add(format_args!("ok {number} {name} # SKIP {why}"));
                }
                None => {
                    self.tally.failed += 1;
                    // Printed first: it separates the output of the test from the reason.
                    let options = self.effort.options();
                    let suite = self.suite;
                    self.add(format_args!(
                        "# reproduce: nsproxy-tests {suite}{again}{options}"
                    ));
                    for line in format!("{e:#}").lines() {
                        self.add(format_args!("# {line}"));
                    }
                    self.add(format_args!("not ok {number} {name}"));
                }
            },
        }
        let continues = !self.effort.fail_fast || self.tally.failed == 0;
        if !continues {
            self.add("# the rest was not run: --fail-fast");
        }
        continues
    }

    /// Checks that the name can be pasted, and that no earlier test has it.
    fn register(&mut self, name: &str) -> Result<()> {
        check_name(name)?;
        ensure!(
            self.names.insert(name.to_owned()),
            "another test of the suite has this name"
        );
        Ok(())
    }

    /// Prints the last line.
    pub(crate) fn end(mut self) -> Tally {
        let Tally {
            passed,
            failed,
            skipped,
        } = self.tally;
        self.add(format_args!(
            "# Totals: pass:{passed} fail:{failed} xfail:0 xpass:0 skip:{skipped} error:0"
        ));
        self.flush();
        self.tally
    }
}

/// Selects the test whose name is `filter`, or else those whose names contain it.
///
/// # Errors
///
/// [`Usage`] if no name matches.
pub(crate) fn select<T>(
    suite: &str,
    filter: &str,
    mut all: Vec<T>,
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>> {
    let names: Vec<_> = all.iter().map(&name).collect();
    let exact = names.iter().any(|name| name == filter);
    all.retain(|one| match exact {
        true => name(one) == filter,
        false => name(one).contains(filter),
    });
    if all.is_empty() {
        return Err(Usage::no_such_test(suite, filter, names.into_iter()));
    }
    Ok(all)
}

/// Runs the test of `suite` whose name is `filter`, or else those whose names contain it, and prints
/// their results.
///
/// # Errors
///
/// [`Usage`] if no such test can be run.
pub(crate) fn run(
    suite: &'static str,
    mut tests: Vec<Test>,
    filter: &str,
    fixtures: &mut Fixtures,
) -> Result<Tally> {
    if !filter.is_empty() {
        tests = select(suite, filter, tests, |test| test.name.clone())?;
        if tests.iter().all(|test| test.is_conclusion) {
            let why = format!("\"{filter}\" sums up the tests of {suite}, and needs all of them");
            return Err(Usage(why).into());
        }
        tests.retain(|test| !test.is_conclusion);
    }
    let mut printer = Printer::new(suite, tests.len(), fixtures.effort);
    for test in tests {
        let Test {
            name,
            run,
            is_conclusion,
        } = test;
        printer.begin(&name);
        let result = run(fixtures);
        let continues = match is_conclusion {
            true => printer.print_conclusion(&name, result),
            false => printer.print(&name, result),
        };
        if !continues {
            break;
        }
    }
    let tally = printer.end();
    fixtures.agreements.report(fixtures.module)?;
    fixtures.predictions.print_predictions();
    Ok(tally)
}

/// Returns the error for each name that a [`Printer`] would refuse.
#[cfg(test)]
pub(crate) fn odd_names(names: Vec<String>) -> impl Iterator<Item = String> {
    let mut printer = Printer::new("", names.len(), Effort::default());
    names.into_iter().filter_map(move |name| {
        let error = printer.register(&name).err()?;
        Some(format!("{name:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::module::Module;

    #[test]
    fn a_name_can_be_pasted() {
        for name in ["a", "E4 pidfd, nstype -1: uts+net", "x@4=5%/a_b.c"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for c in FORBIDDEN.chars().chain(['\n', '\t', 'é', '→']) {
            let name = format!("a {c} b");
            assert!(check_name(&name).is_err(), "{name}");
            assert_eq!(plain_name(&name), "a _ b");
        }
        for name in ["", " ", "a ", " a"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_odd_name_and_a_name_used_twice_fail() {
        let mut printer = Printer::new("kinds", 4, Effort::default());
        printer.print("a", Ok(()));
        printer.print("root's", Ok(()));
        printer.print("a", Ok(()));
        printer.print("x*", Err(Skip::because("there is none")));
        let Tally {
            passed,
            failed,
            skipped,
        } = printer.end();
        assert_eq!((passed, failed, skipped), (1, 3, 0));
    }

    fn tests() -> Vec<Test> {
        vec![
            Test::new("net: one", |_| Ok(())),
            Test::new("net: two", |_| Ok(())),
            Test::new("net: all", |_| Ok(())).of_suite(),
        ]
    }

    #[test]
    fn a_part_of_a_name_selects_tests() {
        let mut fixtures = Fixtures::new(Effort::default(), Module::Loaded);
        for (filter, passed) in [("", 3), ("net", 2), ("net: two", 1)] {
            let tally = run("kinds", tests(), filter, &mut fixtures).unwrap();
            assert_eq!(tally.passed, passed, "{filter}");
        }
    }

    #[test]
    fn a_test_that_cannot_be_run_is_a_mistake_of_the_user() {
        let mut fixtures = Fixtures::new(Effort::default(), Module::Loaded);
        for (filter, words) in [
            ("one, net", "no test \"one, net\"; it has \"net: one\" or"),
            ("net: all", "needs all of them"),
            ("all", "needs all of them"),
            ("one's", "no test"),
        ] {
            let error = run("kinds", tests(), filter, &mut fixtures).unwrap_err();
            assert!(error.is::<Usage>(), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
