// SPDX-License-Identifier: GPL-2.0-only

//! An open `/dev/nsproxy`.

use crate::{Explain, Journal, Kind, Refusal, Shown, sys};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// The open device of the module.
///
/// It carries no rights: each call is checked with the credentials of its caller.
#[derive(Debug)]
pub struct Device(OwnedFd);

/// The version and features of the loaded module, from `NSPROXY_VERSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `NSPROXY_ABI_VERSION` of the module.
    pub abi: u32,
    /// `CLONE_NEW*` of every kind that the module serves.
    pub kinds: u32,
    /// The number of resolved symbols that are not exported to modules.
    pub symbols: u32,
    /// Release of the kernel that the module was built for.
    pub release: String,
}

impl Version {
    /// Returns the kinds that the module serves.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .into_iter()
            .filter(|kind| self.kinds & kind.flag() != 0)
    }
}

impl Device {
    /// The path of the device.
    pub const PATH: &'static str = "/dev/nsproxy";

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the module is not loaded; by default, `EACCES` for users other than root.
    pub fn open() -> Result<Self, Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::open(Self::PATH, flags, Mode::empty()).map(Self)
    }

    /// Makes the call of setns(2), with its errors: `NSPROXY_SETNS`. Accepts any numbers.
    pub fn setns_raw(&self, fd: i32, nstype: i32) -> Result<(), Errno> {
        self.call(sys::NSPROXY_SETNS, &mut sys::nsproxy_setns { fd, nstype })
    }

    /// Makes the call of setns(2) of 2011: `NSPROXY_SETNS_2011`. Accepts any numbers.
    pub fn setns_2011_raw(&self, fd: i32, nstype: i32) -> Result<(), Errno> {
        self.call(
            sys::NSPROXY_SETNS_2011,
            &mut sys::nsproxy_setns { fd, nstype },
        )
    }

    /// Makes the call of unshare(2), with its errors: `NSPROXY_UNSHARE`. Accepts any number.
    pub fn unshare_raw(&self, flags: u64) -> Result<(), Errno> {
        let mut args = sys::nsproxy_unshare { flags };
        self.call(sys::NSPROXY_UNSHARE, &mut args)
    }

    /// Makes the call of unshare(2) or a dry run of it, and returns its refusal, if any, and its
    /// journal: `NSPROXY_EXPLAIN`. Accepts any number.
    ///
    /// A dry run creates the namespaces and releases them.
    ///
    /// # Errors
    ///
    /// As [`trace`](Self::trace).
    pub fn trace_unshare(
        &self,
        flags: u64,
        dry_run: bool,
    ) -> Result<(Option<Refusal>, Journal), Errno> {
        let how = Explain {
            dry_run,
            as_of_2011: false,
        };
        self.trace_flags(flags, how.flags() | sys::NSPROXY_EXPLAIN_UNSHARE)
    }

    /// Makes the checks of clone3(2) for its flags, and returns the refusal, if any, and the journal:
    /// `NSPROXY_EXPLAIN_CLONE`. Accepts any number.
    ///
    /// The call creates the namespaces and releases them. It creates no task.
    ///
    /// # Errors
    ///
    /// As [`trace`](Self::trace).
    pub fn trace_clone(&self, flags: u64) -> Result<(Option<Refusal>, Journal), Errno> {
        let how = Explain::dry_run(false).flags() | sys::NSPROXY_EXPLAIN_CLONE;
        self.trace_flags(flags, how)
    }

    /// Makes a call that takes 64 bits of flags.
    fn trace_flags(&self, flags: u64, how: u32) -> Result<(Option<Refusal>, Journal), Errno> {
        self.trace_with((flags >> u32::BITS) as i32, flags as i32, how)
    }

    /// Makes a call or a dry run, and returns its refusal, if any: `NSPROXY_EXPLAIN`. Accepts any
    /// numbers.
    ///
    /// # Errors
    ///
    /// `EPERM` under a seccomp filter, unless the module was loaded with `allow_seccomp=1`; `ENOTTY`
    /// for a module that is older than this library. A refusal is not an error.
    pub fn explain(&self, fd: i32, nstype: i32, how: Explain) -> Result<Option<Refusal>, Errno> {
        self.explain_with(fd, nstype, how.flags(), &mut [])
            .map(|(refusal, _)| refusal)
    }

    /// As [`explain`](Self::explain), and also returns the journal: the effect of each step.
    ///
    /// # Errors
    ///
    /// As [`explain`](Self::explain); `ENOMEM` before the call; `EOVERFLOW` after the call if the
    /// journal is longer than [`Self::JOURNAL`] lines.
    pub fn trace(
        &self,
        fd: i32,
        nstype: i32,
        how: Explain,
    ) -> Result<(Option<Refusal>, Journal), Errno> {
        self.trace_with(fd, nstype, how.flags())
    }

    fn trace_with(
        &self,
        fd: i32,
        nstype: i32,
        how: u32,
    ) -> Result<(Option<Refusal>, Journal), Errno> {
        let mut lines = [sys::nsproxy_step::default(); Self::JOURNAL];
        let (refusal, count) = self.explain_with(fd, nstype, how, &mut lines)?;
        let lines = lines.get(..count).ok_or(Errno::OVERFLOW)?;
        Ok((refusal, Journal::of(lines)?))
    }

    /// The number of journal lines for which [`trace`](Self::trace) has room. A call that enters
    /// eight namespaces, and frees those that it leaves, has about half as many.
    pub const JOURNAL: usize = 128;

    /// Returns the refusal, and the number of journal lines, including those without room.
    fn explain_with(
        &self,
        fd: i32,
        nstype: i32,
        how: u32,
        lines: &mut [sys::nsproxy_step],
    ) -> Result<(Option<Refusal>, usize), Errno> {
        let mut args = sys::nsproxy_explain {
            fd,
            nstype,
            flags: how,
            journal: lines.as_mut_ptr() as u64,
            room: lines.len() as u32,
            ..Default::default()
        };
        self.call(sys::NSPROXY_EXPLAIN, &mut args)?;
        Ok((Refusal::of(&args)?, args.lines as usize))
    }

    /// Returns the namespaces of the process of `pidfd`, or of this process: `NSPROXY_SHOW`.
    ///
    /// # Errors
    ///
    /// `EBADF` and `EINVAL` for a descriptor that is not a pidfd; `ESRCH` for a process that has
    /// exited; `EACCES` for one that the caller may not access.
    pub fn show(&self, pidfd: Option<BorrowedFd<'_>>) -> Result<Shown, Errno> {
        self.show_raw(pidfd.map_or(-1, |fd| fd.as_raw_fd()))
    }

    /// As [`show`](Self::show), but accepts any number.
    pub fn show_raw(&self, pidfd: i32) -> Result<Shown, Errno> {
        let mut args = sys::nsproxy_show {
            pidfd,
            ..Default::default()
        };
        self.call(sys::NSPROXY_SHOW, &mut args)?;
        Ok(Shown::of(&args))
    }

    /// Returns the version of the module: `NSPROXY_VERSION`.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if the device belongs to another driver. Any version of the module answers: the
    /// struct only grows, and fields that the module does not know are zero.
    pub fn version(&self) -> Result<Version, Errno> {
        let mut version = sys::nsproxy_version::default();
        self.call(sys::NSPROXY_VERSION, &mut version)?;
        let release = version.release.map(|byte| byte as u8);
        let release = CStr::from_bytes_until_nul(&release).map_err(|_| Errno::PROTO)?;
        Ok(Version {
            abi: version.abi,
            kinds: version.kinds,
            symbols: version.symbols,
            release: release.to_string_lossy().into_owned(),
        })
    }

    /// Enables or disables serving for this process and its future children: `NSPROXY_SERVE`.
    /// Returns the previous state.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for a kernel without `CONFIG_FUNCTION_TRACER`; `EBUSY` if the system call has
    /// another redirect.
    pub fn serve(&self, on: bool) -> Result<bool, Errno> {
        self.set_served(if on {
            sys::NSPROXY_SERVE_ON
        } else {
            sys::NSPROXY_SERVE_OFF
        })
    }

    /// Returns whether the module serves the setns(2) of this process: `NSPROXY_SERVE`.
    pub fn serves(&self) -> Result<bool, Errno> {
        self.set_served(sys::NSPROXY_SERVE_QUERY)
    }

    fn set_served(&self, mode: u32) -> Result<bool, Errno> {
        let number = sys::NSPROXY_SERVE.into();
        // SAFETY: Takes no pointer.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number, mode) };
        crate::implementation::outcome(result.min(0)).map(|()| result != 0)
    }

    fn call<T>(&self, number: u32, arg: &mut T) -> Result<(), Errno> {
        // SAFETY: Each command accesses at most the struct whose size is part of its number, and
        // `arg` is that struct in every call above. `NSPROXY_EXPLAIN` also writes a journal, at most
        // to the exclusively borrowed lines whose address and number are in the struct.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number.into(), arg) };
        crate::implementation::outcome(result)
    }
}

impl From<OwnedFd> for Device {
    /// Wraps a descriptor of the device, for example one from another process.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Version, sys};
    use rustix::ioctl::opcode;
    use std::mem::offset_of;

    /// Checks the numbers of bindgen against the encoding of rustix.
    #[test]
    fn numbers_are_encoded_as_in_ioctl_h() {
        const MAGIC: u8 = sys::NSPROXY_IOC_MAGIC as u8;
        assert_eq!(
            sys::NSPROXY_SETNS,
            opcode::write::<sys::nsproxy_setns>(MAGIC, 0)
        );
        assert_eq!(
            sys::NSPROXY_SETNS_2011,
            opcode::write::<sys::nsproxy_setns>(MAGIC, 1)
        );
        assert_eq!(
            sys::NSPROXY_VERSION,
            opcode::read_write::<sys::nsproxy_version>(MAGIC, 2)
        );
        assert_eq!(sys::NSPROXY_SERVE, opcode::none(MAGIC, 3));
        assert_eq!(
            sys::NSPROXY_EXPLAIN,
            opcode::read_write::<sys::nsproxy_explain>(MAGIC, 4)
        );
        assert_eq!(
            sys::NSPROXY_SHOW,
            opcode::read_write::<sys::nsproxy_show>(MAGIC, 5)
        );
        assert_eq!(
            sys::NSPROXY_UNSHARE,
            opcode::write::<sys::nsproxy_unshare>(MAGIC, 6)
        );
    }

    /// Checks the layout that existing programs use. Structs may only grow.
    #[test]
    fn published_layouts_do_not_change() {
        assert_eq!(size_of::<sys::nsproxy_setns>(), 8);
        assert!(size_of::<sys::nsproxy_version>() >= 88);
        assert_eq!(size_of::<sys::nsproxy_unshare>(), 8);
        assert!(size_of::<sys::nsproxy_explain>() >= 72);
        assert_eq!(offset_of!(sys::nsproxy_explain, journal), 48);
        assert_eq!(size_of::<sys::nsproxy_step>(), 64);
        assert_eq!(offset_of!(sys::nsproxy_step, nsproxy), 40);
        assert!(size_of::<sys::nsproxy_show>() >= 496);
        assert_eq!(size_of::<sys::nsproxy_ns>(), 48);
        assert_eq!(offset_of!(sys::nsproxy_explain, reason), 16);
        assert_eq!(offset_of!(sys::nsproxy_explain, ns_id), 32);
        assert_eq!(offset_of!(sys::nsproxy_setns, nstype), 4);
        assert_eq!(offset_of!(sys::nsproxy_version, release), 16);
    }

    #[test]
    fn kinds_of_a_module() {
        let version = Version {
            abi: 1,
            kinds: Kind::Net.flag() | Kind::Mnt.flag(),
            symbols: 0,
            release: String::new(),
        };
        assert!(version.kinds().eq([Kind::Mnt, Kind::Net]));
    }
}
