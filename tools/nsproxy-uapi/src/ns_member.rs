// SPDX-License-Identifier: GPL-2.0-only

//! The members of `struct nsproxy`, and the two namespaces of a task that it does not contain.

use crate::{Kind, sys};

/// A pointer to a namespace of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Member {
    /// `nsproxy->mnt_ns`
    Mnt = sys::NSPROXY_MEMBER_MNT,
    /// `nsproxy->uts_ns`
    Uts = sys::NSPROXY_MEMBER_UTS,
    /// `nsproxy->ipc_ns`
    Ipc = sys::NSPROXY_MEMBER_IPC,
    /// `nsproxy->pid_ns_for_children`
    PidForChildren = sys::NSPROXY_MEMBER_PID_FOR_CHILDREN,
    /// `nsproxy->cgroup_ns`
    Cgroup = sys::NSPROXY_MEMBER_CGROUP,
    /// `nsproxy->net_ns`
    Net = sys::NSPROXY_MEMBER_NET,
    /// `nsproxy->time_ns`
    Time = sys::NSPROXY_MEMBER_TIME,
    /// `nsproxy->time_ns_for_children`
    TimeForChildren = sys::NSPROXY_MEMBER_TIME_FOR_CHILDREN,
    /// `cred->user_ns`
    User = sys::NSPROXY_MEMBER_USER,
    /// `task_active_pid_ns()`: the pid namespace of the task's `struct pid`.
    Pid = sys::NSPROXY_MEMBER_PID,
}

impl Member {
    /// All members, in the order of their numbers.
    pub const ALL: [Self; sys::NSPROXY_NR_MEMBERS as usize] = [
        Self::Mnt,
        Self::Uts,
        Self::Ipc,
        Self::PidForChildren,
        Self::Cgroup,
        Self::Net,
        Self::Time,
        Self::TimeForChildren,
        Self::User,
        Self::Pid,
    ];

    /// The members of `struct nsproxy`.
    pub const OF_NSPROXY: &[Self] = Self::ALL.split_at(8).0;

    /// Returns the number: `NSPROXY_MEMBER_*`.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Returns the name of the file in `/proc/PID/ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PidForChildren => "pid_for_children",
            Self::TimeForChildren => "time_for_children",
            _ => self.kind().name(),
        }
    }

    /// Returns the kind of the namespace.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Mnt => Kind::Mnt,
            Self::Uts => Kind::Uts,
            Self::Ipc => Kind::Ipc,
            Self::PidForChildren | Self::Pid => Kind::Pid,
            Self::Cgroup => Kind::Cgroup,
            Self::Net => Kind::Net,
            Self::Time | Self::TimeForChildren => Kind::Time,
            Self::User => Kind::User,
        }
    }

    /// Returns the member that a task itself is in: not that of its children.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User,
            Kind::Mnt => Self::Mnt,
            Kind::Uts => Self::Uts,
            Kind::Ipc => Self::Ipc,
            Kind::Pid => Self::Pid,
            Kind::Cgroup => Self::Cgroup,
            Kind::Net => Self::Net,
            Kind::Time => Self::Time,
        }
    }

    /// Returns the members that `install()` of a kind changes.
    pub fn installed(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |member| member.kind() == kind && *member != Self::Pid)
    }

    /// Returns the member of an nsproxy that the creation of a namespace of a kind changes; [`None`]
    /// for the user namespace, which the credentials have.
    pub fn created(kind: Kind) -> Option<Self> {
        Self::OF_NSPROXY
            .iter()
            .copied()
            .find(|member| member.kind() == kind && *member != Self::Time)
    }

    /// Returns the members of a bit mask.
    pub(crate) fn of_bits(bits: u32) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|member| bits & 1 << member.number() != 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Member;
    use crate::Kind;

    #[test]
    fn members_are_in_the_order_of_their_numbers() {
        let numbers = Member::ALL.map(Member::number);
        assert!(numbers.into_iter().eq(0..10));
    }

    #[test]
    fn install_changes_members_of_its_kind() {
        assert!(Member::installed(Kind::Time).eq([Member::Time, Member::TimeForChildren]));
        assert!(Member::installed(Kind::Pid).eq([Member::PidForChildren]));
        assert!(Member::installed(Kind::User).eq([Member::User]));
    }

    #[test]
    fn creation_changes_the_namespace_for_children() {
        assert_eq!(Member::created(Kind::Time), Some(Member::TimeForChildren));
        assert_eq!(Member::created(Kind::Pid), Some(Member::PidForChildren));
        assert_eq!(Member::created(Kind::Net), Some(Member::Net));
        assert_eq!(Member::created(Kind::User), None);
    }
}
