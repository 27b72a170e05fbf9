// SPDX-License-Identifier: GPL-2.0-only

//! Grades a puzzle: finds the processes and namespaces that meet its conditions, or most of them.

use crate::{
    condition::{Comparison, Condition, Operand},
    facts::Facts,
    property::Type,
    puzzle::Puzzle,
    value::{Assignment, Value},
};
use serde::Serialize;
use std::cmp::Reverse;

/// The result of a puzzle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// The number of conditions that they meet.
    pub met: usize,
    /// The conditions that the nearest processes and namespaces do not meet; none if it is solved.
    pub missing: Vec<Missing>,
}

/// A condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The condition, as the puzzle has it.
    pub condition: String,
    /// The value that was found; [`None`] if it is not known.
    pub found: Option<String>,
    /// Both in words.
    pub says: String,
}

impl Grade {
    /// Returns whether all conditions are met.
    pub fn is_solved(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Grades a puzzle in the state that `facts` describe.
pub fn grade(puzzle: &Puzzle, facts: &Facts) -> Grade {
    let conditions = puzzle.conditions();
    let types: Vec<_> = puzzle.variables().types().collect();
    let mut nearest = None;
    for_each_assignment(facts, &types, &mut Vec::new(), &mut |of| {
        let nearness = Nearness::new(conditions, facts, of);
        // Of equally near processes, the last ones were started last.
        if nearest.as_ref().is_none_or(|(best, _)| nearness >= *best) {
            nearest = Some((nearness, of.to_vec()));
        }
    });
    let met = match &nearest {
        Some((nearness, _)) => nearness.met.clone(),
        // There are fewer processes than variables.
        None => vec![false; conditions.len()],
    };
    let missing = match &nearest {
        Some((_, of)) if met.first() == Some(&true) => conditions
            .iter()
            .zip(&met)
            .filter(|(_, met)| !**met)
            .map(|(condition, _)| Missing::new(condition, facts, of))
            .collect(),
        // The values of an object that has nothing to do with the puzzle would mislead.
        _ => vec![Missing::in_all(&conditions[0], puzzle)],
    };
    Grade {
        met: if missing.is_empty() || met[0] {
            met.iter().filter(|met| **met).count()
        } else {
            0
        },
        missing,
    }
}

/// How near processes and namespaces are to a solution. The greatest is the nearest: it meets the first
/// conditions, and its numbers differ least.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nearness {
    met: Vec<bool>,
    distance: Reverse<u64>,
}

impl Nearness {
    fn new(conditions: &[Condition], facts: &Facts, of: &Assignment) -> Self {
        let met: Vec<_> = conditions
            .iter()
            .map(|condition| facts.meets(condition, of) == Ok(true))
            .collect();
        let unmet = conditions.iter().zip(&met).filter(|(_, met)| !**met);
        let distances = unmet.map(|(condition, _)| facts.distance(condition, of));
        let distance = Reverse(distances.fold(0, u64::saturating_add));
        Self { met, distance }
    }
}

/// Calls `each` with all values of the variables. No two variables have the same value.
fn for_each_assignment(
    facts: &Facts,
    types: &[Type],
    so_far: &mut Vec<Value>,
    each: &mut impl FnMut(&Assignment),
) {
    let Some((first, rest)) = types.split_first() else {
        return each(so_far);
    };
    let values: Vec<_> = match first {
        Type::Process => (0..facts.processes.len()).map(Value::Process).collect(),
        _ => (0..facts.namespaces.len()).map(Value::Namespace).collect(),
    };
    for value in values {
        if !so_far.contains(&value) {
            so_far.push(value);
            for_each_assignment(facts, rest, so_far, each);
            so_far.pop();
        }
    }
}

impl Missing {
    /// Creates the entry of a condition that no process or namespace meets.
    fn in_all(condition: &Condition, puzzle: &Puzzle) -> Self {
        let variable = condition.left.variable;
        let object = match puzzle.variables().types().nth(variable) {
            Some(Type::Process) => "process",
            _ => "namespace",
        };
        let left = condition.left.phrase(format!("a {object}"));
        Self {
            condition: condition.text.clone(),
            found: None,
            says: format!(
                "no {object} meets the first condition: {left} {}",
                condition.requirement()
            ),
        }
    }

    fn new(condition: &Condition, facts: &Facts, of: &Assignment) -> Self {
        let left = facts.phrase(&condition.left, of);
        let found = facts.value(&condition.left, of);
        let expected = expected(condition, facts, of);
        let says = match &found {
            Ok(value) => format!("{left} is {}, expected {expected}", facts.describe(value)),
            Err(why) => format!("{left} is not known, expected {expected}: {why}"),
        };
        Self {
            condition: condition.text.clone(),
            found: found.ok().map(|value| facts.describe(&value)),
            says,
        }
    }
}

/// Describes the value that a condition requires.
fn expected(condition: &Condition, facts: &Facts, of: &Assignment) -> String {
    let value = match &condition.right {
        Operand::Path(path) => {
            let phrase = facts.phrase(path, of);
            match facts.value(path, of) {
                Ok(_) if path.properties.is_empty() => phrase,
                Ok(value) => format!("{}, {phrase}", facts.describe(&value)),
                Err(_) => phrase,
            }
        }
        Operand::Number(number) => number.to_string(),
        Operand::Word(word) => word.clone(),
        Operand::InitialNamespace => "the initial one".to_owned(),
    };
    match condition.comparison {
        Comparison::Equal => value,
        Comparison::Different if condition.right == Operand::InitialNamespace => {
            "another one".to_owned()
        }
        Comparison::Different => format!("another than {value}"),
        Comparison::Less => format!("less than {value}"),
        Comparison::More => format!("more than {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Namespace,
        process::{MemberFacts, Process},
    };
    use nsproxy::Identity;
    use nsproxy_uapi::{Kind, Member};

    const INITIAL: u64 = 1;

    /// Adds a process that has a uts namespace, the counts of which are `counts`.
    fn add(facts: &mut Facts, pid: u32, nsproxy_count: u32, uts: u64, counts: (u32, u32)) {
        let identity = Identity {
            kind: Kind::Uts,
            inode: uts,
        };
        facts.processes.push(Process {
            pid,
            program: "sleep".to_owned(),
            parent: 1,
            uid: 0,
            threads: 1,
            has_cap_sys_admin: true,
            root: Some("/".into()),
            cwd: None,
            offsets: None,
            nsproxy_count,
            members: vec![MemberFacts {
                member: Member::Uts,
                identity,
                is_initial: uts == INITIAL,
                ns_ref: counts.0,
                active: counts.1,
            }],
        });
        match facts.find(identity) {
            Some(index) => facts.namespaces[index].processes += 1,
            None => facts.namespaces.push(Namespace {
                identity: Some(identity),
                kind: Kind::Uts,
                is_initial: false,
                counts: None,
                owner: None,
                parent: None,
                processes: 1,
                mounts: 0,
                files: 0,
                owned: 0,
                children: 0,
                is_listed: Some(true),
            }),
        }
        facts.add_counts();
    }

    /// Returns the state of a guest without other namespaces than the initial ones.
    fn initial() -> Facts {
        let mut facts = Facts::default();
        for pid in [1, 50] {
            add(&mut facts, pid, 40, INITIAL, (1, 1));
        }
        facts
    }

    fn grade(variables: &str, conditions: &[&str], facts: &Facts) -> Vec<String> {
        let conditions = conditions.join("\", \"");
        let text = format!(
            "[[puzzle]]\ntext = \"x\"\npoints = 1\n{variables}\nconditions = [\"{conditions}\"]\n\
             solution = \"x\"\nnear-miss = \"x\"\nnear-miss-says = \"x\"\n"
        );
        let puzzles = Puzzle::parse(&text).unwrap();
        let grade = super::grade(&puzzles[0], facts);
        assert_eq!(grade.is_solved(), grade.missing.is_empty());
        grade
            .missing
            .into_iter()
            .map(|missing| missing.says)
            .collect()
    }

    #[test]
    fn a_process_that_meets_all_conditions() {
        let conditions = ["a.uts.ns_ref = 2", "a.nsproxy_count = 3"];
        let mut facts = initial();
        assert_eq!(
            grade("processes = [\"a\"]", &conditions, &facts),
            ["no process meets the first condition: NS_REF of the uts namespace of a process is 2"]
        );
        // The nearest process is the one whose count differs least.
        add(&mut facts, 60, 2, 7, (2, 2));
        add(&mut facts, 61, 1, 7, (2, 2));
        assert_eq!(
            grade("processes = [\"a\"]", &conditions, &facts),
            ["the nsproxy count of process 60 (sleep) is 2, expected 3"]
        );
        // No single process meets both.
        add(&mut facts, 62, 3, 8, (1, 1));
        assert_eq!(grade("processes = [\"a\"]", &conditions, &facts).len(), 1);
        add(&mut facts, 63, 3, 7, (2, 2));
        assert!(grade("processes = [\"a\"]", &conditions, &facts).is_empty());
    }

    #[test]
    fn two_variables_are_two_processes() {
        let conditions = ["a.uts != initial", "b.uts = a.uts"];
        let mut facts = initial();
        add(&mut facts, 60, 1, 7, (1, 1));
        assert_eq!(
            grade("processes = [\"a\", \"b\"]", &conditions, &facts),
            [
                "the uts namespace of process 50 (sleep) is the initial one, expected uts:[7], \
              the uts namespace of process 60 (sleep)"
            ]
        );
        add(&mut facts, 61, 1, 7, (2, 2));
        assert!(grade("processes = [\"a\", \"b\"]", &conditions, &facts).is_empty());
    }

    #[test]
    fn a_namespace_without_a_process() {
        let conditions = ["n.kind = uts", "n.processes = 0"];
        let mut facts = initial();
        add(&mut facts, 60, 1, 7, (1, 1));
        assert_eq!(
            grade("namespaces = [\"n\"]", &conditions, &facts),
            ["the number of processes in uts:[7] is 1, expected 0"]
        );
        facts.namespaces[1].processes = 0;
        assert!(grade("namespaces = [\"n\"]", &conditions, &facts).is_empty());
    }

    #[test]
    fn each_comparison_is_made() {
        let mut facts = initial();
        add(&mut facts, 60, 3, 7, (2, 1));
        let says = |condition: &str| {
            grade(
                "processes = [\"a\"]",
                &["a.uts != initial", condition],
                &facts,
            )
        };
        for met in [
            "a.nsproxy_count < 4",
            "a.nsproxy_count > 2",
            "a.nsproxy_count != 4",
            "a.uts.ns_ref > a.uts.active",
            "a.program = sleep",
            "a.cap_sys_admin = yes",
            "a.uts.listed = yes",
        ] {
            assert!(says(met).is_empty(), "{met}");
        }
        for (unmet, why) in [
            (
                "a.nsproxy_count < 3",
                "the nsproxy count of process 60 (sleep) is 3, expected less than 3",
            ),
            (
                "a.uts.active > a.uts.ns_ref",
                "ACTIVE of the uts namespace of process 60 (sleep) is 1, expected more than 2, NS_REF of the uts namespace of process 60 (sleep)",
            ),
            (
                "a.program != sleep",
                "the program of process 60 (sleep) is sleep, expected another than sleep",
            ),
            (
                "a.cwd = /tmp",
                "the working directory of process 60 (sleep) is not known, expected /tmp: the process is exiting",
            ),
        ] {
            assert_eq!(says(unmet), [why]);
        }
    }

    #[test]
    fn a_count_that_is_not_known() {
        let conditions = ["a.uts = initial", "a.uts.ns_ref = 2"];
        assert_eq!(
            grade("processes = [\"a\"]", &conditions, &initial()),
            [
                "NS_REF of the uts namespace of process 50 (sleep) is not known, expected 2: \
              it is an initial namespace, which is not counted"
            ]
        );
    }

    #[test]
    fn more_variables_than_processes() {
        let conditions = ["a.uts = initial", "b.uts = a.uts", "c.uts = a.uts"];
        let says = grade("processes = [\"a\", \"b\", \"c\"]", &conditions, &initial());
        assert_eq!(
            says,
            [
                "no process meets the first condition: the uts namespace of a process is the initial one"
            ]
        );
    }
}
