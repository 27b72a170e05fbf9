// SPDX-License-Identifier: GPL-2.0-only

//! The checks of the kinds when a namespace is created: `create_user_ns()` and `copy_*()`.

use super::{Answer, Asked, Because, Checks};
use crate::namespace::{Namespace, Relative};
use nsproxy_uapi::{Kind, Limit, Member, Reason};
use rustix::{fs::StatxAttributes, io::Errno, thread::CapabilitySet};

/// The maximum level of a pid namespace below the initial one: `MAX_PID_NS_LEVEL`.
const MAX_PID_LEVEL: usize = 32;

impl Checks<'_> {
    /// Asks whether users without privileges may create user namespaces on a kernel of Debian.
    pub(super) fn check_userns_off(&mut self) -> Asked {
        let sysctl = self.task.read("sys/kernel/unprivileged_userns_clone");
        let is_off = match &sysctl {
            Ok(value) => Some(value.trim() == "0"),
            // Another kernel, or no `/proc`.
            Err(Errno::NOENT) if self.task.read("sys/kernel/ostype").is_ok() => Some(false),
            Err(_) => None,
        };
        // The capability in the initial user namespace.
        let is_initial = self.task.user_ns().map(Self::is_initial);
        let has = self
            .task
            .status()
            .effective
            .contains(CapabilitySet::SYS_ADMIN);
        let may = is_initial.map(|is| is && has);
        let passes = match (is_off, may) {
            (Some(false), _) | (_, Some(true)) => Some(true),
            (Some(true), Some(false)) => Some(false),
            _ => None,
        };
        let because = Because::from(Reason::UsernsOff);
        self.check(
            // The id of the initial user namespace is not visible from others.
            because.lacks(CapabilitySet::SYS_ADMIN, &Relative::Unknown),
            Answer::must_if_known(passes),
        )
    }

    fn is_initial(user_ns: &Namespace) -> bool {
        user_ns.inode() == Namespace::INITIAL_USER
    }

    /// Asks the checks of `create_user_ns()`.
    pub(super) fn create_user_ns(&mut self) -> Asked {
        let kind = Kind::User;
        let because = |reason| Because::from(reason).about(kind, 0);
        // The level is that of the initial user namespace, or it is not visible. A limit of 0 refuses
        // at any level.
        let is_initial = self.task.user_ns().is_some_and(Self::is_initial);
        let is_known = is_initial || self.own_limit(kind) == Some(0);
        self.check(
            because(Reason::Nested),
            Answer::must_if_known(is_known.then_some(true)),
        )?;
        self.check_limit(kind, false)?;
        self.check(
            because(Reason::Chrooted),
            Answer::must_if_known(self.is_chrooted().map(|is| !is)),
        )?;
        let status = self.task.status();
        let ids = [
            ("uid_map", status.uids.effective),
            ("gid_map", status.gids.effective),
        ];
        let is_mapped = ids.map(|(map, id)| Some(self.task.id_inside(map, id)?.is_some()));
        let are_mapped = match is_mapped {
            [Some(false), _] | [_, Some(false)] => Some(false),
            [Some(true), Some(true)] => Some(true),
            _ => None,
        };
        self.check(because(Reason::Unmapped), Answer::must_if_known(are_mapped))?;
        self.check(because(Reason::Lsm), self.by_lsm())?;
        self.check_memory(kind)
    }

    /// Asks the checks of creating the other kinds, after the user namespace if there is a new one.
    pub(super) fn create_others(&mut self, kinds: u64, in_new_user_ns: bool) -> Asked {
        for kind in Kind::ALL {
            if kind == Kind::User || kinds & u64::from(kind.flag()) == 0 {
                continue;
            }
            if kind == Kind::Pid {
                self.check_pid_owner()?;
            }
            self.check_limit(kind, in_new_user_ns)?;
            self.check_memory(kind)?;
        }
        Ok(())
    }

    /// Asks about memory, and what else a kind needs.
    fn check_memory(&mut self, kind: Kind) -> Asked {
        match self.errno {
            // The checks above are the only ones with these.
            Some(Errno::NOSPC | Errno::PERM | Errno::INVAL) => Ok(()),
            _ => self.check_rare(Because::from(Reason::NoNewNs).about(kind, 0)),
        }
    }

    /// Asks the checks of `copy_pid_ns()` before the limit.
    fn check_pid_owner(&mut self) -> Asked {
        let because = |reason| Because::from(reason).about(Kind::Pid, 0);
        let open = |link| self.task.namespace(link).ok();
        let [own, for_children] = [Member::Pid, Member::PidForChildren].map(open);
        let is_own = match (&own, &for_children) {
            (Some(own), Some(for_children)) => Some(own.is(for_children)),
            // The link is missing as long as it has no init.
            (Some(_), None) => Some(false),
            _ => None,
        };
        self.check(
            because(Reason::PidForChildren),
            Answer::must_if_known(is_own),
        )?;

        // The user namespace is that of the task, or a child of it.
        let owner = own.as_ref().map_or(Relative::Unknown, Namespace::owner);
        let is_above = match (&owner, self.task.user_ns()) {
            // A new child of the task's user namespace is below that as well.
            (Relative::Within(owner), Some(user_ns)) => user_ns.is_below(owner),
            // Above that of this process, or beside it.
            _ => None,
        };
        self.check(because(Reason::PidOwner), Answer::must_if_known(is_above))?;

        // Level 0 is the initial one, if `/proc` belongs to that.
        let level = self.task.status().pids.len().saturating_sub(1);
        let is_initial = own.is_some_and(|own| own.inode() == Namespace::INITIAL_PID);
        let is_nested = match () {
            () if level >= MAX_PID_LEVEL => Some(true),
            () if is_initial => Some(false),
            () => None,
        };
        self.check(
            because(Reason::Nested),
            Answer::must_if_known(is_nested.map(|is| !is)),
        )
    }

    /// Returns the limit of a kind in the user namespace of the task.
    fn own_limit(&self, kind: Kind) -> Option<u32> {
        // The sysctl shows that of the process that opens it.
        if self.task.is_in_our_user_ns() != Some(true) {
            return None;
        }
        let name = format!("sys/user/max_{}_namespaces", kind.name());
        self.task.read(&name).ok()?.trim().parse().ok()
    }

    /// Asks whether the limit of a kind is reached: in the user namespace of the task, or in one above
    /// it, whose limits and counts are not visible.
    fn check_limit(&mut self, kind: Kind, in_new_user_ns: bool) -> Asked {
        let max = self.own_limit(kind);
        let own = self.task.user_ns();
        let is_initial = own.is_some_and(Self::is_initial);
        // The new user namespace has a limit of its own, which is not reached.
        let levels = u32::from(in_new_user_ns);
        let is_here = max == Some(0) || is_initial;
        let limit = is_here.then(|| Limit {
            max,
            user_ns: own.map_or(0, Namespace::id),
            levels,
        });
        let because = Because {
            limit,
            ..Because::from(Reason::Limit).about(kind, 0)
        };
        match max {
            Some(0) => self.check(because, Answer::Refuses),
            // The count of namespaces is not visible.
            _ => self.check(because, Answer::Unknown),
        }
    }

    /// Returns whether the root directory of the task is not that of its mount namespace.
    fn is_chrooted(&self) -> Option<bool> {
        let found = self.task.root_statx().ok()?;
        let is_known = found
            .stx_attributes_mask
            .contains(StatxAttributes::MOUNT_ROOT);
        let is_mount_root = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        if is_known && !is_mount_root {
            return Some(true);
        }
        // It may be the root of another mount than the first.
        self.is_first_mount().then_some(false)
    }

    /// Returns whether the root directory is certainly that of the first mount of the mount namespace, or
    /// of what is mounted there: its parent is itself, or the first mount of the system.
    fn is_first_mount(&self) -> bool {
        const FIRST: &str = "1";
        let is_first = |line: &str| {
            let mut fields = line.split(' ');
            let [id, parent, _, _, at] = std::array::from_fn(|_| fields.next());
            at == Some("/") && (parent == id || parent == Some(FIRST))
        };
        // The last one at a mount point is the visible one.
        let mounts = self.task.read_own("mountinfo").unwrap_or_default();
        let root = mounts
            .lines()
            .rfind(|line| line.split(' ').nth(4) == Some("/"));
        root.is_some_and(is_first)
    }

    /// Asks whether a security module has refused a user namespace.
    fn by_lsm(&self) -> Answer {
        match self.task.read_own("attr/current").as_deref() {
            // AppArmor, without a profile.
            Ok(label) if label.trim_end_matches(['\n', '\0']) == "unconfined" => {
                let name = "sys/kernel/apparmor_restrict_unprivileged_userns";
                let restricts = self.task.read(name);
                let is_off = restricts.map_or(true, |value| value.trim() == "0");
                Answer::must_if_known(is_off.then_some(true))
            }
            // No module has attributes of tasks, as those that refuse user namespaces do.
            Err(&Errno::INVAL) => Answer::Passes,
            // A kernel without security modules.
            Err(&Errno::NOENT) if self.task.read_own("status").is_ok() => Answer::Passes,
            _ => Answer::Unknown,
        }
    }
}
