// SPDX-License-Identifier: GPL-2.0-only

//! Commands that people use. What is run where they lead is `nsproxy-tests look`, so
//! that all that can be seen there is compared.

use super::{
    Bench, Ran, Side,
    table::{Outcome, PLUGIN, Row, TABLE, USER},
};
use crate::{
    case::{
        implementation::{self, Kind},
        target::{self, Process, Target, World},
    },
    report::ktap::{self, Skip, Test},
};
use Outcome::{Enters, NeverAsks, Refused};
use anyhow::Result;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    rc::Rc,
};

pub(crate) fn tests(bench: &Rc<Bench>) -> Vec<Test> {
    let rows = TABLE
        .iter()
        .flat_map(|(program, rows)| rows.iter().map(move |row| (*program, row)));
    rows.map(|(program, row)| {
        let bench = bench.clone();
        Test::new(row.name(), move |world| row.test(program, &bench, world))
    })
    .collect()
}

impl Row {
    fn name(&self) -> String {
        ktap::plain_name(&self.1.join(", then "))
    }

    fn test(&self, program: &str, bench: &Bench, world: &mut World) -> Result<()> {
        if !Path::new("/usr/bin").join(program).exists() {
            return Err(Skip::because(format!("no {program} on the host")));
        }
        let targets = Targets::of(world)?;
        let [reference, subject] = {
            let mut sides = Vec::new();
            for side in Side::BOTH {
                let commands = self.1.iter();
                let ran: Result<Vec<_>> = commands
                    .map(|command| bench.run(side, &targets.words(command), &world.clocks))
                    .collect();
                sides.push(ran?);
            }
            <[Vec<Ran>; 2]>::try_from(sides).expect("there are two")
        };
        let statuses = |ran: &[Ran]| -> String {
            let statuses: Vec<_> = ran.iter().map(|ran| ran.status.replace(' ', "")).collect();
            statuses.join(",")
        };
        bench.record(
            &format!("{program}.{}", self.name()),
            &statuses(&reference),
            &statuses(&subject),
        )?;

        let mut wrong = Vec::new();
        self.judge("setns(2)", &reference, &mut wrong);
        self.judge("the module", &subject, &mut wrong);
        self.judge_calls(Side::Kernel, &reference, &mut wrong);
        self.judge_calls(Side::Module, &subject, &mut wrong);
        let known = targets.namespaces(world);
        let mut names = [Names::new(&known), Names::new(&known)];
        for (i, command) in self.1.iter().enumerate() {
            let (reference, subject) = (&reference[i], &subject[i]);
            let what = |what| format!("{command}: {what}");
            if reference.status != subject.status {
                // What they print then is different in many ways, of one reason.
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
            for (command, ran) in self.1.iter().zip(&subject) {
                let words = targets.words(command).join(" ");
                wrong.push(format!("nsproxy serve {words}\n{ran}"));
            }
        }
        bench.judge(wrong)
    }

    /// A row that does not do what it is there for compares nothing.
    fn judge(&self, side: &str, ran: &[Ran], wrong: &mut Vec<String>) {
        let works = ran.iter().all(|ran| ran.status == "0");
        let wanted = match self.0 {
            Enters => true,
            Refused => false,
            // Either is fine.
            NeverAsks => return,
        };
        if works != wanted {
            let word = if works { "succeeds" } else { "fails" };
            wrong.push(format!("with {side} it {word}, expected {:?}", self.0));
        }
    }

    /// Checks that setns(2) is called exactly if the row expects it, and by which side it is served.
    fn judge_calls(&self, side: Side, ran: &[Ran], wrong: &mut Vec<String>) {
        let calls: u64 = ran.iter().map(|ran| ran.made).sum();
        if (calls > 0) != (self.0 != NeverAsks) {
            wrong.push(format!("{calls} calls of setns(2), expected {:?}", self.0));
        }
        for ran in ran {
            ran.check_calls(side, wrong);
        }
    }
}

/// The two targets.
struct Targets {
    of_root: Rc<Process>,
    of_user: Rc<Process>,
}

impl Targets {
    fn of(world: &mut World) -> Result<Self> {
        Ok(Self {
            of_root: world.target(&Target::in_all_new())?,
            of_user: world.target(&Target::in_new(implementation::all_kinds()).of_user())?,
        })
    }

    /// A command's words.
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

    /// The namespaces that are the same on both sides.
    fn namespaces(&self, world: &World) -> HashSet<u64> {
        let mut known: HashSet<_> = world.home.values().copied().collect();
        for kind in Kind::ALL {
            known.extend(self.of_root.link(kind.name()));
            known.extend(self.of_user.link(kind.name()));
        }
        known
    }
}

/// Names for what only one side can have: namespaces, and mounts in them, that were made on it.
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

    /// The same text whatever their numbers are.
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
                self.look_anew();
            }
            last = key;
            stable += &match pair {
                Some((key, value)) if named => format!("{key}: new {}\n", self.of(value)),
                _ => format!("{line}\n"),
            };
        }
        stable
    }

    /// Another process looks. What `ip netns exec` makes for one, a mount namespace, is gone with
    /// it, and the next one's may have its number or not.
    fn look_anew(&mut self) {
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

/// Line by line.
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
    fn numbers_of_one_side_have_names() {
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
    fn a_mount_namespace_may_have_the_number_of_one_that_is_gone() {
        let known = HashSet::new();
        let looks = |mnts: [u64; 2], nets: [u64; 2]| -> String {
            let look = |(mnt, net)| format!("ns/mnt: mnt:[{mnt}]\nns/net: net:[{net}]\n");
            let text: String = mnts.into_iter().zip(nets).map(look).collect();
            Names::new(&known).stable(&text)
        };
        assert_eq!(looks([1, 1], [3, 4]), looks([1, 2], [3, 4]));
        assert_ne!(looks([1, 2], [3, 3]), looks([1, 2], [3, 4]));
    }

    #[test]
    fn rows_are_all_different() {
        let names: Vec<_> = TABLE
            .iter()
            .flat_map(|(_, rows)| *rows)
            .map(Row::name)
            .collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
