// SPDX-License-Identifier: GPL-2.0-only

//! The conditions of a puzzle: comparisons of properties of processes and namespaces.
//!
//! A condition is a line such as `a.uts.ns_ref = 2` or `b.net = a.net`. It begins with a variable of the
//! puzzle, and each word after a point is a [`Property`].

use crate::property::{Property, Type};
use anyhow::{Context as _, Result, bail, ensure};
use std::cmp::Ordering;

/// A comparison of two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) left: Path,
    pub(crate) comparison: Comparison,
    pub(crate) right: Operand,
    /// The line that was parsed.
    pub(crate) text: String,
}

/// A variable, and properties that lead from it to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The index of the variable in [`Variables`].
    pub(crate) variable: usize,
    pub(crate) properties: Vec<Property>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Path(Path),
    Number(i64),
    Word(String),
    /// The word `initial`.
    InitialNamespace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Different,
    Less,
    More,
}

impl Comparison {
    fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "=" => Self::Equal,
            "!=" => Self::Different,
            "<" => Self::Less,
            ">" => Self::More,
            _ => bail!("unknown comparison {word:?}; hint: =, !=, < or >"),
        })
    }

    pub(crate) fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Different => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::More => ordering.is_gt(),
        }
    }
}

/// The variables of a puzzle: their names and types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables(Vec<(String, Type)>);

impl Variables {
    /// # Errors
    ///
    /// Two variables with one name, or none.
    pub(crate) fn new(processes: &[String], namespaces: &[String]) -> Result<Self> {
        let processes = processes.iter().map(|name| (name.clone(), Type::Process));
        let namespaces = namespaces
            .iter()
            .map(|name| (name.clone(), Type::Namespace));
        let mut variables = Self::default();
        for (name, of) in processes.chain(namespaces) {
            ensure!(
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()),
                "the variable {name:?} is not a word of lower-case letters"
            );
            ensure!(name != INITIAL, "{INITIAL:?} is not a variable");
            ensure!(
                variables.find(&name).is_none(),
                "the variable {name:?} is declared twice"
            );
            variables.0.push((name, of));
        }
        ensure!(!variables.0.is_empty(), "no process and no namespace");
        Ok(variables)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = Type> {
        self.0.iter().map(|(_, of)| *of)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(found, _)| found == name)
    }
}

const INITIAL: &str = "initial";

impl Condition {
    /// # Errors
    ///
    /// A syntax error, an unknown variable or property, or a comparison of different types.
    pub(crate) fn parse(text: &str, variables: &Variables) -> Result<Self> {
        let words: Vec<_> = text.split_whitespace().collect();
        let [left, comparison, right] = words[..] else {
            bail!("{text:?} is not PROPERTY COMPARISON VALUE");
        };
        let comparison = Comparison::parse(comparison).with_context(|| format!("{text:?}"))?;
        let (left, of) = Path::parse(left, variables).with_context(|| format!("{text:?}"))?;
        let (right, other) =
            Operand::parse(right, of, variables).with_context(|| format!("{text:?}"))?;
        ensure!(
            of == other,
            "{text:?} compares a {} with a {}",
            of.name(),
            other.name()
        );
        let is_ordering = matches!(comparison, Comparison::Less | Comparison::More);
        ensure!(
            of == Type::Number || !is_ordering,
            "{text:?} orders values that are not numbers"
        );
        Ok(Self {
            left,
            comparison,
            right,
            text: text.to_owned(),
        })
    }

    /// Returns the paths in it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let right = match &self.right {
            Operand::Path(path) => Some(path),
            _ => None,
        };
        [&self.left].into_iter().chain(right)
    }

    /// Describes the requirement to the left value, such as "is 2".
    pub(crate) fn requirement(&self) -> String {
        let is = match self.comparison {
            Comparison::Equal => "is",
            Comparison::Different => "is not",
            Comparison::Less => "is less than",
            Comparison::More => "is more than",
        };
        match &self.right {
            Operand::Path(_) => format!("{is} as in {:?}", self.text),
            Operand::Number(number) => format!("{is} {number}"),
            Operand::Word(word) => format!("{is} {word}"),
            Operand::InitialNamespace => format!("{is} the initial one"),
        }
    }
}

impl Path {
    /// Describes its value, if `start` describes the variable.
    pub(crate) fn phrase(&self, start: String) -> String {
        let properties = self.properties.iter();
        properties.fold(start, |object, property| property.of(&object))
    }

    fn parse(text: &str, variables: &Variables) -> Result<(Self, Type)> {
        let mut words = text.split('.');
        let name = words.next().unwrap_or_default();
        let variable = variables
            .find(name)
            .with_context(|| format!("unknown variable {name:?}"))?;
        let (_, mut of) = variables.0[variable];
        let mut properties = Vec::new();
        for word in words {
            let property = Property::parse(of, word).with_context(|| {
                let known: Vec<_> = Property::names(of).collect();
                let hint = format!("one of: {}", known.join(", "));
                format!("unknown property {word:?} of a {}; hint: {hint}", of.name())
            })?;
            of = property.value_type();
            properties.push(property);
        }
        Ok((
            Self {
                variable,
                properties,
            },
            of,
        ))
    }
}

impl Operand {
    /// Parses a value that is compared with one of type `of`.
    fn parse(text: &str, of: Type, variables: &Variables) -> Result<(Self, Type)> {
        if text == INITIAL {
            return Ok((Self::InitialNamespace, Type::Namespace));
        }
        if let Ok(number) = text.parse() {
            return Ok((Self::Number(number), Type::Number));
        }
        let name = text.split('.').next().unwrap_or_default();
        if of == Type::Word && variables.find(name).is_none() {
            return Ok((Self::Word(text.to_owned()), Type::Word));
        }
        let (path, other) = Path::parse(text, variables)?;
        Ok((Self::Path(path), other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Condition, String> {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let variables = Variables::new(&names(&["a", "b"]), &names(&["n"])).unwrap();
        Condition::parse(text, &variables).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn comparisons_of_equal_types() {
        for text in [
            "a.nsproxy_count = 3",
            "a.uts.ns_ref > a.uts.active",
            "a.user.parent.parent = initial",
            "b.net != a.net",
            "b.parent = a",
            "a.program = sleep",
            "a.root = /run/jail",
            "n.kind = uts",
            "n.owner = a.user",
            "a.boottime = -5",
        ] {
            let condition = parse(text).unwrap();
            assert_eq!(condition.text, text);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, why) in [
            ("a.uts", "is not PROPERTY COMPARISON VALUE"),
            ("a.uts == initial", "unknown comparison \"==\""),
            ("c.uts = initial", "unknown variable \"c\""),
            (
                "a.nett = initial",
                "unknown property \"nett\" of a process; hint: one of: program,",
            ),
            (
                "a.uts.uts = initial",
                "unknown property \"uts\" of a namespace",
            ),
            (
                "a.nsproxy_count.uts = 1",
                "unknown property \"uts\" of a number",
            ),
            ("a.uts = 3", "compares a namespace with a number"),
            ("a = initial", "compares a process with a namespace"),
            ("a.uts = b", "compares a namespace with a process"),
            ("a.uts < b.uts", "orders values that are not numbers"),
            ("a.nsproxy_count = three", "unknown variable \"three\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn names_of_variables_are_unique_words() {
        let new = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            Variables::new(&names, &["n".to_owned()])
        };
        assert!(new(&["a"]).is_ok());
        for names in [&["a", "a"][..], &["n"], &["initial"], &["A"], &[""]] {
            assert!(new(names).is_err(), "{names:?}");
        }
        assert!(Variables::new(&[], &[]).is_err());
    }
}
