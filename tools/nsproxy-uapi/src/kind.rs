// SPDX-License-Identifier: GPL-2.0-only

//! The eight kinds of namespace.

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Ids and capabilities; owns all other kinds.
    User,
    /// Mounts.
    Mnt,
    /// Host and domain name.
    Uts,
    /// SysV objects and POSIX message queues.
    Ipc,
    /// Process ids.
    Pid,
    /// The visible root of the cgroup tree.
    Cgroup,
    /// Network stack and interfaces.
    Net,
    /// Offsets of the monotonic and the boot time clock.
    Time,
}

impl Kind {
    /// All kinds, in the order in which a call with a pidfd installs them.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Mnt,
        Self::Uts,
        Self::Ipc,
        Self::Pid,
        Self::Cgroup,
        Self::Net,
        Self::Time,
    ];

    /// Returns the name of the file in `/proc/PID/ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mnt => "mnt",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Pid => "pid",
            Self::Cgroup => "cgroup",
            Self::Net => "net",
            Self::Time => "time",
        }
    }

    /// Returns the `CLONE_NEW*` flag.
    pub const fn flag(self) -> u32 {
        (match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Mnt => libc::CLONE_NEWNS,
            Self::Uts => libc::CLONE_NEWUTS,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Pid => libc::CLONE_NEWPID,
            Self::Cgroup => libc::CLONE_NEWCGROUP,
            Self::Net => libc::CLONE_NEWNET,
            Self::Time => libc::CLONE_NEWTIME,
        }) as u32
    }

    /// Returns the `CLONE_NEW*` of some kinds.
    pub fn flags_of(kinds: &[Self]) -> u32 {
        kinds.iter().fold(0, |flags, kind| flags | kind.flag())
    }

    /// Returns the letter of the option of nsenter(1).
    pub const fn letter(self) -> char {
        match self {
            Self::User => 'U',
            Self::Mnt => 'm',
            Self::Uts => 'u',
            Self::Ipc => 'i',
            Self::Pid => 'p',
            Self::Cgroup => 'C',
            Self::Net => 'n',
            Self::Time => 'T',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn flags_are_eight_different_bits() {
        assert_eq!(Kind::flags_of(&Kind::ALL).count_ones(), 8);
    }

    #[test]
    fn each_kind_has_a_file_in_proc() {
        for kind in Kind::ALL {
            let link = std::fs::read_link(format!("/proc/self/ns/{}", kind.name())).unwrap();
            let link = link.into_os_string().into_string().unwrap();
            assert!(link.starts_with(&format!("{}:[", kind.name())), "{link}");
        }
    }
}
