// SPDX-License-Identifier: GPL-2.0-only

//! Flags of unshare(2) and clone3(2): those that are newer than the C library's, and all by name, as
//! strace(1) prints them.

/// `CLONE_CLEAR_SIGHAND`: the child has the default signal handlers. Since Linux 5.5.
pub const CLEAR_SIGHAND: u64 = 1 << 32;
/// `CLONE_INTO_CGROUP`: the child is created in a cgroup. Since Linux 5.7.
pub const INTO_CGROUP: u64 = 1 << 33;
/// `CLONE_AUTOREAP`. Older kernels refuse it.
pub const AUTOREAP: u64 = 1 << 34;
/// `CLONE_NNP`: the child gains no privileges by execve(2). Older kernels refuse it.
pub const NNP: u64 = 1 << 35;
/// `CLONE_PIDFD_AUTOKILL`. Older kernels refuse it.
pub const PIDFD_AUTOKILL: u64 = 1 << 36;
/// `CLONE_EMPTY_MNTNS`: a mount namespace that has only the root mount. It implies `CLONE_NEWNS`.
/// Older kernels refuse it.
pub const EMPTY_MNTNS: u64 = 1 << 37;
/// `UNSHARE_EMPTY_MNTNS`: [`EMPTY_MNTNS`] of unshare(2).
pub const UNSHARE_EMPTY_MNTNS: u64 = 1 << 20;

/// A system call that creates namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// unshare(2)
    Unshare,
    /// clone3(2)
    Clone,
}

impl Call {
    /// Returns the flag for a mount namespace that has only the root mount.
    pub const fn empty_mntns(self) -> u64 {
        match self {
            Self::Unshare => UNSHARE_EMPTY_MNTNS,
            Self::Clone => EMPTY_MNTNS,
        }
    }
}

/// The flags of clone3(2) by name.
const NAMES: [(&str, u64); 31] = [
    ("CLONE_VM", libc::CLONE_VM as u64),
    ("CLONE_FS", libc::CLONE_FS as u64),
    ("CLONE_FILES", libc::CLONE_FILES as u64),
    ("CLONE_SIGHAND", libc::CLONE_SIGHAND as u64),
    ("CLONE_PIDFD", libc::CLONE_PIDFD as u64),
    ("CLONE_PTRACE", libc::CLONE_PTRACE as u64),
    ("CLONE_VFORK", libc::CLONE_VFORK as u64),
    ("CLONE_PARENT", libc::CLONE_PARENT as u64),
    ("CLONE_THREAD", libc::CLONE_THREAD as u64),
    ("CLONE_NEWNS", libc::CLONE_NEWNS as u64),
    ("CLONE_SYSVSEM", libc::CLONE_SYSVSEM as u64),
    ("CLONE_SETTLS", libc::CLONE_SETTLS as u64),
    ("CLONE_PARENT_SETTID", libc::CLONE_PARENT_SETTID as u64),
    ("CLONE_CHILD_CLEARTID", libc::CLONE_CHILD_CLEARTID as u64),
    ("CLONE_DETACHED", libc::CLONE_DETACHED as u64),
    ("CLONE_UNTRACED", libc::CLONE_UNTRACED as u64),
    ("CLONE_CHILD_SETTID", libc::CLONE_CHILD_SETTID as u64),
    ("CLONE_NEWCGROUP", libc::CLONE_NEWCGROUP as u64),
    ("CLONE_NEWUTS", libc::CLONE_NEWUTS as u64),
    ("CLONE_NEWIPC", libc::CLONE_NEWIPC as u64),
    ("CLONE_NEWUSER", libc::CLONE_NEWUSER as u64),
    ("CLONE_NEWPID", libc::CLONE_NEWPID as u64),
    ("CLONE_NEWNET", libc::CLONE_NEWNET as u64),
    ("CLONE_IO", 0x8000_0000),
    ("CLONE_NEWTIME", libc::CLONE_NEWTIME as u64),
    ("CLONE_CLEAR_SIGHAND", CLEAR_SIGHAND),
    ("CLONE_INTO_CGROUP", INTO_CGROUP),
    ("CLONE_AUTOREAP", AUTOREAP),
    ("CLONE_NNP", NNP),
    ("CLONE_PIDFD_AUTOKILL", PIDFD_AUTOKILL),
    ("CLONE_EMPTY_MNTNS", EMPTY_MNTNS),
];

/// The name of a bit that means something else in unshare(2), and its name there.
const OF_UNSHARE: (&str, &str) = ("CLONE_PARENT_SETTID", "UNSHARE_EMPTY_MNTNS");

/// Signals that clone(2) has beside the flags, and sends to the parent when the child exits.
const EXIT_SIGNALS: [&str; 3] = ["SIGCHLD", "SIGUSR1", "SIGUSR2"];

/// Reads flags of a call: names or numbers, joined by `|`. Accepts and ignores comments of strace(1),
/// and the signal of clone(2).
///
/// # Errors
///
/// The word that is no flag, in a sentence.
pub fn parse(call: Call, text: &str) -> Result<u64, String> {
    text.split('|').try_fold(0, |flags, word| {
        let word = word.split("/*").next().unwrap_or_default().trim();
        let named = NAMES.iter().find(|(name, _)| name_in(call, name) == word);
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        let is_signal = call == Call::Clone && EXIT_SIGNALS.contains(&word);
        match named.map(|(_, flag)| *flag).or(number) {
            Some(flag) => Ok(flags | flag),
            None if is_signal => Ok(flags),
            None => Err(format!("unknown flag {word:?}")),
        }
    })
}

/// Names flags of a call, joined by `|`. Bits without a name are one number.
pub fn names(call: Call, flags: u64) -> String {
    let mut left = flags;
    let mut names = Vec::new();
    for (name, flag) in NAMES {
        if left & flag != 0 {
            left &= !flag;
            names.push(name_in(call, name).to_owned());
        }
    }
    if left != 0 {
        names.push(format!("{left:#x}"));
    }
    names.join("|")
}

fn name_in(call: Call, name: &'static str) -> &'static str {
    match call {
        Call::Unshare if name == OF_UNSHARE.0 => OF_UNSHARE.1,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_strace_prints_them() {
        let clone = |text| parse(Call::Clone, text);
        assert_eq!(clone("CLONE_NEWUSER|CLONE_FS|SIGCHLD"), Ok(0x1000_0200));
        assert_eq!(clone("0x200 | CLONE_EMPTY_MNTNS"), Ok(0x20_0000_0200));
        assert_eq!(clone("0x2000000000 /* CLONE_??? */"), Ok(1 << 37));
        assert_eq!(clone("512"), Ok(512));
        for wrong in ["CLONE_NEWALL", "SIGHAND", "UNSHARE_EMPTY_MNTNS", ""] {
            assert!(clone(wrong).is_err(), "{wrong}");
        }
        let unshare = |text| parse(Call::Unshare, text);
        assert_eq!(unshare("UNSHARE_EMPTY_MNTNS"), Ok(1 << 20));
        assert!(unshare("SIGCHLD").is_err());
    }

    #[test]
    fn each_flag_has_a_name() {
        let clone = |flags| names(Call::Clone, flags);
        assert_eq!(clone(0x1000_0200), "CLONE_FS|CLONE_NEWUSER");
        assert_eq!(clone(1 << 63 | 0x200), "CLONE_FS|0x8000000000000000");
        assert_eq!(clone(1 << 20), "CLONE_PARENT_SETTID");
        assert_eq!(names(Call::Unshare, 1 << 20), "UNSHARE_EMPTY_MNTNS");
        for bit in (7..38).filter(|bit| *bit != 31) {
            assert!(!clone(1 << bit).starts_with("0x"), "bit {bit}");
        }
        for call in [Call::Unshare, Call::Clone] {
            for (name, flag) in NAMES {
                assert_eq!(parse(call, &names(call, flag)), Ok(flag), "{name}");
            }
        }
    }
}
