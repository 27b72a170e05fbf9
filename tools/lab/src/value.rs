// SPDX-License-Identifier: GPL-2.0-only

//! The values of paths: what a condition compares, and how a message describes it.

use crate::{
    condition::{Condition, Operand, Path},
    facts::{Facts, Namespace},
    process::Process,
    property::{OfNamespace, OfProcess, Property},
};
use nsproxy::Identity;
use std::path::PathBuf;

/// A value. Processes and namespaces are indices in [`Facts`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Process(usize),
    Namespace(usize),
    Number(i64),
    Word(String),
}

/// The reason why a value is not known.
pub(crate) type Unknown = &'static str;

/// The values of the variables.
pub(crate) type Assignment = [Value];

impl Facts {
    /// Returns the value of a path.
    ///
    /// # Errors
    ///
    /// The property does not exist, or is not visible.
    pub(crate) fn value(&self, path: &Path, of: &Assignment) -> Result<Value, Unknown> {
        let start = of[path.variable].clone();
        let mut properties = path.properties.iter();
        properties.try_fold(start, |value, property| self.property(&value, *property))
    }

    fn property(&self, of: &Value, property: Property) -> Result<Value, Unknown> {
        match (of, property) {
            (Value::Process(index), Property::OfProcess(property)) => {
                self.of_process(&self.processes[*index], property)
            }
            (Value::Process(index), Property::Member(member)) => {
                let mut members = self.processes[*index].members.iter();
                let found = members.find(|facts| facts.member == member);
                self.namespace(found.map(|facts| facts.identity), "it has none")
            }
            (Value::Namespace(index), Property::OfNamespace(property)) => {
                self.of_namespace(&self.namespaces[*index], property)
            }
            _ => unreachable!("the types were checked when the condition was parsed"),
        }
    }

    fn of_process(&self, process: &Process, property: OfProcess) -> Result<Value, Unknown> {
        let path = |path: &Option<PathBuf>| {
            let path = path.as_ref().ok_or("the process is exiting")?;
            Ok(Value::Word(path.display().to_string()))
        };
        let offsets = || process.offsets.ok_or("the kernel has no time namespaces");
        Ok(match property {
            OfProcess::Program => Value::Word(process.program.clone()),
            OfProcess::Parent => {
                let mut processes = self.processes.iter();
                let parent = processes.position(|other| other.pid == process.parent);
                Value::Process(parent.ok_or("it has none in this pid namespace")?)
            }
            OfProcess::Uid => Value::Number(process.uid.into()),
            OfProcess::Threads => Value::Number(process.threads.into()),
            OfProcess::NsproxyCount => Value::Number(process.nsproxy_count.into()),
            OfProcess::Root => path(&process.root)?,
            OfProcess::Cwd => path(&process.cwd)?,
            OfProcess::Monotonic => Value::Number(offsets()?.monotonic),
            OfProcess::Boottime => Value::Number(offsets()?.boottime),
            OfProcess::CapSysAdmin => yes_or_no(process.has_cap_sys_admin),
        })
    }

    fn of_namespace(&self, of: &Namespace, property: OfNamespace) -> Result<Value, Unknown> {
        let number = |n: usize| Ok(Value::Number(i64::try_from(n).unwrap_or(i64::MAX)));
        let counts = || match of.counts {
            Some(counts) => Ok(counts),
            None if of.is_initial => Err("it is an initial namespace, which is not counted"),
            None => Err("no process is in it"),
        };
        match property {
            OfNamespace::Kind => Ok(Value::Word(of.kind.name().to_owned())),
            OfNamespace::NsRef => Ok(Value::Number(counts()?.0.into())),
            OfNamespace::Active => Ok(Value::Number(counts()?.1.into())),
            OfNamespace::Owner => self.namespace(of.owner, "it has none"),
            OfNamespace::Parent => self.namespace(of.parent, "it has none"),
            OfNamespace::Processes => number(of.processes),
            OfNamespace::Mounts => number(of.mounts),
            OfNamespace::Files => number(of.files),
            OfNamespace::Owned => number(of.owned),
            OfNamespace::Children => number(of.children),
            OfNamespace::Listed => of
                .is_listed
                .map(yes_or_no)
                .ok_or("listns(2) requires Linux 6.19"),
        }
    }

    fn namespace(&self, identity: Option<Identity>, none: Unknown) -> Result<Value, Unknown> {
        let index = self.find(identity.ok_or(none)?);
        Ok(Value::Namespace(index.ok_or("it has just been created")?))
    }

    /// Returns whether a condition is met, or why that is not known.
    pub(crate) fn meets(&self, condition: &Condition, of: &Assignment) -> Result<bool, Unknown> {
        let left = self.value(&condition.left, of)?;
        let right = match &condition.right {
            Operand::Path(path) => self.value(path, of)?,
            Operand::Number(number) => Value::Number(*number),
            Operand::Word(word) => Value::Word(word.clone()),
            Operand::InitialNamespace => {
                let Value::Namespace(index) = left else {
                    unreachable!("the types were checked when the condition was parsed")
                };
                let is = self.namespaces[index].is_initial;
                return Ok(condition.comparison.accepts(true.cmp(&is)));
            }
        };
        Ok(condition.comparison.accepts(left.cmp(&right)))
    }

    /// Returns the difference between the numbers of a condition; 0 for other values.
    pub(crate) fn distance(&self, condition: &Condition, of: &Assignment) -> u64 {
        let right = match &condition.right {
            Operand::Path(path) => self.value(path, of),
            Operand::Number(number) => Ok(Value::Number(*number)),
            _ => return 0,
        };
        match (self.value(&condition.left, of), right) {
            (Ok(Value::Number(left)), Ok(Value::Number(right))) => left.abs_diff(right),
            (Err(_), Ok(Value::Number(_))) => u64::MAX,
            _ => 0,
        }
    }

    /// Describes a value.
    pub(crate) fn describe(&self, value: &Value) -> String {
        match value {
            Value::Process(index) => {
                let process = &self.processes[*index];
                format!("process {} ({})", process.pid, process.program)
            }
            Value::Namespace(index) => {
                let namespace = &self.namespaces[*index];
                let name = namespace.kind.name();
                match namespace.identity {
                    _ if namespace.is_initial => "the initial one".to_owned(),
                    Some(Identity { inode, .. }) => format!("{name}:[{inode}]"),
                    None => format!("{name}:[-]"),
                }
            }
            Value::Number(number) => number.to_string(),
            Value::Word(word) => word.clone(),
        }
    }

    /// Describes a path, such as "NS_REF of the uts namespace of process 7 (sleep)".
    pub(crate) fn phrase(&self, path: &Path, of: &Assignment) -> String {
        let start = match &of[path.variable] {
            value @ Value::Namespace(index) => match self.namespaces[*index].is_initial {
                true => format!(
                    "the initial {} namespace",
                    self.namespaces[*index].kind.name()
                ),
                false => self.describe(value),
            },
            value => self.describe(value),
        };
        path.phrase(start)
    }
}

fn yes_or_no(is: bool) -> Value {
    Value::Word(if is { "yes" } else { "no" }.to_owned())
}
