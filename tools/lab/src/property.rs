// SPDX-License-Identifier: GPL-2.0-only

//! The properties of processes and namespaces that conditions compare. `docs/labs/puzzles.md` describes
//! them for authors of puzzles.

use nsproxy_uapi::Member;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Process,
    Namespace,
    Number,
    Word,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Namespace => "namespace",
            Self::Number => "number",
            Self::Word => "word",
        }
    }
}

/// A step from a process or a namespace to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    OfProcess(OfProcess),
    /// A namespace of a process.
    Member(Member),
    OfNamespace(OfNamespace),
}

/// A property of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfProcess {
    Program,
    Parent,
    Uid,
    Threads,
    NsproxyCount,
    Root,
    Cwd,
    Monotonic,
    Boottime,
    CapSysAdmin,
}

/// A property of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfNamespace {
    Kind,
    NsRef,
    Active,
    Owner,
    Parent,
    Processes,
    Mounts,
    Files,
    Owned,
    Children,
    Listed,
}

impl OfProcess {
    const ALL: [(&str, Self); 10] = [
        ("program", Self::Program),
        ("parent", Self::Parent),
        ("uid", Self::Uid),
        ("threads", Self::Threads),
        ("nsproxy_count", Self::NsproxyCount),
        ("root", Self::Root),
        ("cwd", Self::Cwd),
        ("monotonic", Self::Monotonic),
        ("boottime", Self::Boottime),
        ("cap_sys_admin", Self::CapSysAdmin),
    ];
}

impl OfNamespace {
    const ALL: [(&str, Self); 11] = [
        ("kind", Self::Kind),
        ("ns_ref", Self::NsRef),
        ("active", Self::Active),
        ("owner", Self::Owner),
        ("parent", Self::Parent),
        ("processes", Self::Processes),
        ("mounts", Self::Mounts),
        ("files", Self::Files),
        ("owned", Self::Owned),
        ("children", Self::Children),
        ("listed", Self::Listed),
    ];
}

impl Property {
    /// Returns the property of a value of type `of` with that name.
    pub(crate) fn parse(of: Type, name: &str) -> Option<Self> {
        all(of).find_map(|(found, property)| (found == name).then_some(property))
    }

    /// Returns the names of the properties of a type.
    pub(crate) fn names(of: Type) -> impl Iterator<Item = &'static str> {
        all(of).map(|(name, _)| name)
    }

    pub(crate) fn value_type(self) -> Type {
        match self {
            Self::Member(_) | Self::OfNamespace(OfNamespace::Owner | OfNamespace::Parent) => {
                Type::Namespace
            }
            Self::OfProcess(OfProcess::Parent) => Type::Process,
            Self::OfProcess(
                OfProcess::Program | OfProcess::Root | OfProcess::Cwd | OfProcess::CapSysAdmin,
            )
            | Self::OfNamespace(OfNamespace::Kind | OfNamespace::Listed) => Type::Word,
            Self::OfProcess(_) | Self::OfNamespace(_) => Type::Number,
        }
    }

    /// Describes the property of `object` in words.
    pub(crate) fn of(self, object: &str) -> String {
        let name = match self {
            Self::Member(Member::PidForChildren) => "the pid namespace for children",
            Self::Member(Member::TimeForChildren) => "the time namespace for children",
            Self::Member(member) => return format!("the {} namespace of {object}", member.name()),
            Self::OfProcess(property) => match property {
                OfProcess::Program => "the program",
                OfProcess::Parent => "the parent",
                OfProcess::Uid => "the uid",
                OfProcess::Threads => "the number of threads",
                OfProcess::NsproxyCount => "the nsproxy count",
                OfProcess::Root => "the root directory",
                OfProcess::Cwd => "the working directory",
                OfProcess::Monotonic => "the monotonic clock offset",
                OfProcess::Boottime => "the boot time offset",
                OfProcess::CapSysAdmin => "CAP_SYS_ADMIN",
            },
            Self::OfNamespace(property) => match property {
                OfNamespace::Kind => "the kind",
                OfNamespace::NsRef => "NS_REF",
                OfNamespace::Active => "ACTIVE",
                OfNamespace::Owner => "the owner",
                OfNamespace::Parent => "the parent",
                OfNamespace::Processes => return format!("the number of processes in {object}"),
                OfNamespace::Mounts => "the number of mounts",
                OfNamespace::Files => "the number of open files",
                OfNamespace::Owned => "the number of namespaces owned by",
                OfNamespace::Children => "the number of children",
                OfNamespace::Listed => "the visibility to listns(2)",
            },
        };
        match self {
            Self::OfNamespace(OfNamespace::Owned) => format!("{name} {object}"),
            _ => format!("{name} of {object}"),
        }
    }
}

/// Returns the properties of a type with their names.
fn all(of: Type) -> impl Iterator<Item = (&'static str, Property)> {
    let of_process = OfProcess::ALL.map(|(name, property)| (name, Property::OfProcess(property)));
    let members = Member::ALL.map(|member| (member.name(), Property::Member(member)));
    let of_namespace =
        OfNamespace::ALL.map(|(name, property)| (name, Property::OfNamespace(property)));
    let properties = match of {
        Type::Process => [&of_process[..], &members].concat(),
        Type::Namespace => of_namespace.to_vec(),
        Type::Number | Type::Word => Vec::new(),
    };
    properties.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_property_is_found_by_its_name() {
        for of in [Type::Process, Type::Namespace, Type::Number] {
            let names: BTreeSet<_> = Property::names(of).collect();
            assert_eq!(names.len(), all(of).count());
            for (name, property) in all(of) {
                assert_eq!(Property::parse(of, name), Some(property));
            }
        }
    }

    #[test]
    fn properties_in_words() {
        let uts = Property::Member(Member::Uts).of("process 7 (sleep)");
        assert_eq!(
            Property::OfNamespace(OfNamespace::NsRef).of(&uts),
            "NS_REF of the uts namespace of process 7 (sleep)"
        );
    }
}
