// SPDX-License-Identifier: GPL-2.0-only

//! Common commands. Many run `nsproxy-tests look` in the namespaces that they enter, so that all that a
//! process sees there is compared.

use super::{
    Comparison, ProgramRun,
    table::{self, Expected, PLUGIN, Row, USER},
};
use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{self, Kind},
        target::{self, Target, TargetProcess},
    },
    report::ktap::{self, Skip, Test},
};
use anyhow::Result;
use nsproxy_uapi::Implementation;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    rc::Rc,
};

pub(crate) fn tests(comparison: &Rc<Comparison>) -> Vec<Test> {
    let rows = match table::rows() {
        Ok(rows) => rows.into_iter(),
        Err(error) => return vec![Test::new("the table of commands", |_| Err(error))],
    };
    rows.map(|row| {
        let comparison = comparison.clone();
        Test::new(row.name(), move |fixtures| row.test(&comparison, fixtures))
    })
    .collect()
}

impl Row {
    fn name(&self) -> String {
        ktap::plain_name(&self.commands.join(", then "))
    }

    fn test(&self, comparison: &Comparison, fixtures: &mut Fixtures) -> Result<()> {
        let program = self.program;
        if !Path::new("/usr/bin").join(program).exists() {
            return Err(Skip::because(format!("the host has no {program}")));
        }
        let targets = Targets::of(fixtures)?;
        let run = |implementation| -> Result<Vec<ProgramRun>> {
            let commands = self.commands.iter().map(|command| targets.words(command));
            commands
                .map(|words| comparison.run(implementation, &words, &fixtures.clocks))
                .collect()
        };
        let (reference, subject) = (run(Implementation::Kernel)?, run(Implementation::Module)?);
        let statuses = |runs: &[ProgramRun]| -> String {
            let statuses: Vec<_> = runs.iter().map(|run| run.status.replace(' ', "")).collect();
            statuses.join(",")
        };
        comparison.record(
            &format!("{program}.{}", self.name()),
            &statuses(&reference),
            &statuses(&subject),
        )?;

        let mut wrong = Vec::new();
        self.check(Implementation::Kernel, &reference, &mut wrong);
        self.check(Implementation::Module, &subject, &mut wrong);
        let known = targets.namespaces(fixtures);
        let mut names = [Names::new(&known), Names::new(&known)];
        for (i, command) in self.commands.iter().enumerate() {
            let (reference, subject) = (&reference[i], &subject[i]);
            let what = |what| format!("{command}: {what}");
            if reference.status != subject.status {
                // Then their outputs differ as well, for the same reason.
                let (left, right) = (&reference.status, &subject.status);
                compare(&what("status"), left, right, &mut wrong);
                continue;
            }
            let [left, right] = &mut names;
            for (name, reference, subject) in [
                ("stdout", &reference.stdout, &subject.stdout),
                ("stderr", &reference.stderr, &subject.stderr),
            ] {
                let (left, right) = (left.stable(reference), right.stable(subject));
                compare(&what(name), &left, &right, &mut wrong);
            }
        }
        if !wrong.is_empty() {
            for (command, run) in self.commands.iter().zip(&subject) {
                let words = targets.words(command).join(" ");
                wrong.push(format!("nsproxy serve {words}\n{run}"));
            }
        }
        comparison.finish(wrong)
    }

    /// Checks that the commands meet the expectation, and that the implementation served their calls.
    fn check(&self, by: Implementation, runs: &[ProgramRun], wrong: &mut Vec<String>) {
        let succeed = runs.iter().all(|run| run.status == "0");
        let is_expected = match self.expected {
            Expected::Enters => succeed,
            Expected::Refused => !succeed,
            Expected::NoCall => true,
        };
        if !is_expected {
            let word = if succeed { "succeeds" } else { "fails" };
            wrong.push(format!(
                "by the {by:?} it {word}, expected {:?}",
                self.expected
            ));
        }
        let calls: u64 = runs.iter().map(|run| run.made).sum();
        if (calls > 0) != (self.expected != Expected::NoCall) {
            wrong.push(format!(
                "{calls} calls of setns(2), expected {:?}",
                self.expected
            ));
        }
        for run in runs {
            run.check_calls(by, wrong);
        }
    }
}

/// The processes whose namespaces are entered.
struct Targets {
    of_root: Rc<TargetProcess>,
    of_user: Rc<TargetProcess>,
}

impl Targets {
    fn of(fixtures: &mut Fixtures) -> Result<Self> {
        Ok(Self {
            of_root: fixtures.target(&Target::in_all_new())?,
            of_user: fixtures.target(&Target::in_new(implementation::all_kinds()).of_user())?,
        })
    }

    /// Returns the words of a command, after replacement.
    fn words(&self, command: &str) -> Vec<String> {
        command
            .replace("TARGET", &self.of_root.pid.to_string())
            .replace("MINE", &self.of_user.pid.to_string())
            .replace("USER", USER)
            .replace("PLUGIN", PLUGIN)
            .split(' ')
            .flat_map(|word| match word {
                "look" => vec!["nsproxy-tests", "look"],
                word => vec![word],
            })
            .map(str::to_owned)
            .collect()
    }

    /// Returns the namespaces that both implementations share.
    fn namespaces(&self, fixtures: &Fixtures) -> HashSet<u64> {
        let mut known: HashSet<_> = fixtures.home.values().copied().collect();
        for kind in Kind::ALL {
            known.extend(self.of_root.link(kind.name()));
            known.extend(self.of_user.link(kind.name()));
        }
        known
    }
}

/// Replaces numbers of namespaces and mounts that a command created, since they differ between runs.
struct Names<'a> {
    known: &'a HashSet<u64>,
    given: HashMap<String, usize>,
    next: usize,
}

impl<'a> Names<'a> {
    fn new(known: &'a HashSet<u64>) -> Self {
        Self {
            known,
            given: HashMap::new(),
            next: 1,
        }
    }

    /// Returns the text with the numbers replaced.
    fn stable(&mut self, text: &str) -> String {
        let is_new =
            |value: &str| target::inode(value).is_some_and(|inode| !self.known.contains(&inode));
        let pairs: Vec<_> = text.lines().map(|line| line.split_once(": ")).collect();
        let mounts_are_new = pairs
            .iter()
            .flatten()
            .any(|(key, value)| *key == "ns/mnt" && is_new(value));
        let named =
            |(key, value): (&str, &str)| is_new(value) || mounts_are_new && key.ends_with("/mount");
        let named: Vec<_> = pairs.iter().map(|pair| pair.is_some_and(named)).collect();
        let mut stable = String::new();
        let mut last = "";
        for ((line, pair), named) in text.lines().zip(pairs).zip(named) {
            let key = pair.map_or("", |(key, _)| key);
            if key <= last {
                self.forget_mounts();
            }
            last = key;
            stable += &match pair {
                Some((key, value)) if named => format!("{key}: new {}\n", self.of(value)),
                _ => format!("{line}\n"),
            };
        }
        stable
    }

    /// Forgets mount namespaces and mounts, when the output of the next process starts. `ip netns exec`
    /// creates a mount namespace for each, and the number of a freed one may be reused.
    fn forget_mounts(&mut self) {
        let is_of_one = |value: &str| value.starts_with("mnt:") || target::inode(value).is_none();
        self.given.retain(|value, _| !is_of_one(value));
    }

    fn of(&mut self, value: &str) -> usize {
        *self.given.entry(value.to_owned()).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// Compares two texts line by line.
fn compare(what: &str, left: &str, right: &str, wrong: &mut Vec<String>) {
    let (mut left, mut right) = (left.lines(), right.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return,
            (left, right) if left == right => {}
            (left, right) => wrong.push(format!(
                "{what} differs (setns(2) / /dev/nsproxy): {} / {}",
                left.unwrap_or("nothing more"),
                right.unwrap_or("nothing more")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_replaced() {
        let known = HashSet::from([4026531840]);
        let text = |net, mount| {
            format!(
                "cwd/mount: {mount}\nns/mnt: mnt:[{net}]\nns/net: net:[4026531840]\n\
                 ns/pid: pid:[{net}]\nroot/mount: {mount}\n"
            )
        };
        let stable = |net, mount| Names::new(&known).stable(&text(net, mount));
        assert_eq!(stable(4026532001_u64, 77), stable(4026532002, 78));
        assert_ne!(stable(4026531840, 77), stable(4026531840, 78));
        assert_ne!(stable(4026531840, 77), stable(4026532001, 77));
    }

    #[test]
    fn the_number_of_a_mount_namespace_may_be_reused() {
        let known = HashSet::new();
        let looks = |mnts: [u64; 2], nets: [u64; 2]| -> String {
            let look = |(mnt, net)| format!("ns/mnt: mnt:[{mnt}]\nns/net: net:[{net}]\n");
            let text: String = mnts.into_iter().zip(nets).map(look).collect();
            Names::new(&known).stable(&text)
        };
        assert_eq!(looks([1, 1], [3, 4]), looks([1, 2], [3, 4]));
        assert_ne!(looks([1, 2], [3, 3]), looks([1, 2], [3, 4]));
    }
}
