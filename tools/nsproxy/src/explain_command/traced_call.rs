// SPDX-License-Identifier: GPL-2.0-only

//! A system call of a traced task: its decoding, and its text.

use crate::request;
use nsproxy_diagnose::{Call, Descriptor};
use nsproxy_uapi::{Kind, clone_flags};
use std::{ffi::c_long, fmt};

/// `AUDIT_ARCH_*` of this program's own system calls.
const NATIVE: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    // Unknown: all calls are foreign.
    0
};

/// `__X32_SYSCALL_BIT`
const X32: u64 = 0x4000_0000;

/// The bits of clone(2) that are no flags: the signal, and one that the kernel ignores.
const NO_FLAGS: u64 = 0xff | libc::CLONE_DETACHED as u64;

/// A call that is explained when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TracedCall {
    pub(super) name: &'static str,
    pub(super) call: Call,
}

/// Returns whether a call is one of another architecture, whose numbers differ: 32-bit and x32.
pub(super) fn is_foreign(arch: u32, number: u64) -> bool {
    arch != NATIVE || (cfg!(target_arch = "x86_64") && number & X32 != 0)
}

impl TracedCall {
    /// Decodes a call; [`None`] if it is not one that is explained. `read` reads a number from the
    /// memory of the task.
    pub(super) fn decode(
        number: u64,
        args: [u64; 6],
        read: impl FnOnce(u64) -> Option<u64>,
    ) -> Option<Self> {
        let [first, second, ..] = args;
        let (name, call) = match c_long::try_from(number).ok()? {
            libc::SYS_setns => {
                let (fd, nstype) = (first as i32, second as i32);
                ("setns", Call::Setns { fd, nstype })
            }
            libc::SYS_unshare => ("unshare", Call::Unshare { flags: first }),
            libc::SYS_clone => {
                let flags = u64::from(first as u32) & !NO_FLAGS;
                ("clone", Call::Clone { flags })
            }
            libc::SYS_clone3 => {
                // The first member of `struct clone_args`. EFAULT needs no flags.
                let flags = read(first).unwrap_or(0);
                ("clone3", Call::Clone { flags })
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_fork => ("fork", Call::Clone { flags: 0 }),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_vfork => {
                let flags = (libc::CLONE_VFORK | libc::CLONE_VM) as u64;
                ("vfork", Call::Clone { flags })
            }
            _ => return None,
        };
        Some(Self { name, call })
    }

    /// Returns whether the call creates another process.
    pub(super) fn creates_process(self) -> bool {
        match self.call {
            Call::Clone { flags } => flags & libc::CLONE_THREAD as u64 == 0,
            Call::Setns { .. } | Call::Unshare { .. } => false,
        }
    }

    /// Returns the flags of the call.
    pub(super) fn flags(self) -> u64 {
        request::flags(self.call)
    }

    /// Returns the kinds that the call enters or creates, as far as its flags name them.
    pub(super) fn kinds(self) -> Vec<Kind> {
        request::kinds(self.flags())
    }

    /// Returns the kinds that the call enters or creates. `descriptor` is that of setns(2).
    pub(super) fn kinds_with(self, descriptor: Option<&Descriptor>) -> Vec<Kind> {
        match descriptor {
            Some(Descriptor::Namespace(kind, _)) => vec![*kind],
            _ => self.kinds(),
        }
    }

    /// Formats the call. `descriptor` is that of setns(2).
    pub(super) fn text(self, descriptor: Option<&Descriptor>) -> String {
        let mut words: Vec<_> = self.kinds().iter().map(|kind| kind.name().into()).collect();
        let others = self.flags() & !u64::from(Kind::flags_of(&Kind::ALL));
        if others != 0 {
            words.push(match self.call {
                Call::Setns { .. } => format!("{others:#x}"),
                Call::Unshare { .. } => clone_flags::names(clone_flags::Call::Unshare, others),
                Call::Clone { .. } => clone_flags::names(clone_flags::Call::Clone, others),
            });
        }
        if words.is_empty() {
            words.push("0".to_owned());
        }
        if let Call::Setns { fd, .. } = self.call {
            let object = descriptor.and_then(object).map(|text| format!(" = {text}"));
            words.insert(0, format!("fd {fd}{}", object.unwrap_or_default()));
        }
        // fork(2) and vfork(2) have no arguments.
        match self.name {
            "fork" | "vfork" => format!("{}()", self.name),
            name => format!("{name}({})", words.join(", ")),
        }
    }
}

/// Formats the object of a descriptor as `/proc/PID/ns` and lsns(8) identify it.
fn object(descriptor: &Descriptor) -> Option<String> {
    match descriptor {
        Descriptor::Namespace(kind, namespace) => {
            Some(format!("{}:[{}]", kind.name(), namespace.inode()))
        }
        Descriptor::Process(Some(number)) => Some(format!("process {number}")),
        Descriptor::Process(None) => Some("a process".to_owned()),
        Descriptor::Other => None,
    }
}

impl fmt::Display for TracedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(number: c_long, first: u64, second: u64) -> Option<TracedCall> {
        let args = [first, second, 0, 0, 0, 0];
        TracedCall::decode(number.cast_unsigned(), args, |_| Some(0x4000_0000))
    }

    fn text(number: c_long, first: u64, second: u64) -> String {
        decode(number, first, second).unwrap().to_string()
    }

    #[test]
    fn calls_name_their_namespaces() {
        assert_eq!(text(libc::SYS_setns, 7, 0x2_0000), "setns(fd 7, mnt)");
        assert_eq!(text(libc::SYS_setns, 7, 0), "setns(fd 7, 0)");
        assert_eq!(text(libc::SYS_setns, u64::MAX, 1), "setns(fd -1, 0x1)");
        assert_eq!(
            text(libc::SYS_unshare, 0x1002_0200, 0),
            "unshare(user, mnt, CLONE_FS)"
        );
        assert_eq!(text(libc::SYS_clone3, 0, 0), "clone3(net)");
    }

    #[test]
    fn clone_has_a_signal_beside_its_flags() {
        let call = decode(libc::SYS_clone, 0x1000_0091, 0).unwrap();
        assert_eq!(
            (call.flags(), call.to_string().as_str()),
            (0x1000_0000, "clone(user)")
        );
        let detached = decode(libc::SYS_clone, 0x0040_0011, 0).unwrap();
        assert_eq!(detached.to_string(), "clone(0)");
        assert!(call.creates_process());
        let thread = decode(libc::SYS_clone, 0x0001_0f00, 0).unwrap();
        assert!(!thread.creates_process());
    }

    #[test]
    fn other_calls_are_not_decoded() {
        assert_eq!(decode(libc::SYS_getpid, 0, 0), None);
        let args = [0; 6];
        assert_eq!(TracedCall::decode(u64::MAX, args, |_| None), None);
        let unreadable = TracedCall::decode(libc::SYS_clone3 as u64, args, |_| None).unwrap();
        assert_eq!(unreadable.to_string(), "clone3(0)");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_of_other_architectures_are_foreign() {
        let number = libc::SYS_setns as u64;
        assert!(!is_foreign(0xc000_003e, number));
        assert!(is_foreign(0xc000_003e, number | X32));
        // AUDIT_ARCH_I386
        assert!(is_foreign(0x4000_0003, 346));
    }
}
