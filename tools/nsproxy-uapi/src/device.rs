// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/nsproxy`, open.

use crate::{Explain, Journal, Kind, Refusal, Shown, sys};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// The device of the module, open.
///
/// It carries no rights: the credentials that count are those of whoever makes a call, at that
/// time.
#[derive(Debug)]
pub struct Device(OwnedFd);

/// What `NSPROXY_VERSION` says about the loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `NSPROXY_ABI_VERSION` of the module.
    pub abi: u32,
    /// `CLONE_NEW*` of every kind that the module serves.
    pub kinds: u32,
    /// How many symbols that modules cannot link to were resolved.
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
    /// Where the module puts it.
    pub const PATH: &'static str = "/dev/nsproxy";

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the module is not loaded; `EACCES` for anybody but root, by default.
    pub fn open() -> Result<Self, Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::open(Self::PATH, flags, Mode::empty()).map(Self)
    }

    /// `NSPROXY_SETNS`: what setns(2) does, with its errors. Any numbers may be tried.
    pub fn setns_raw(&self, fd: i32, nstype: i32) -> Result<(), Errno> {
        self.call(sys::NSPROXY_SETNS, &mut sys::nsproxy_setns { fd, nstype })
    }

    /// `NSPROXY_SETNS_2011`: what setns(2) did in the patch of 2011. Any numbers may be tried.
    pub fn setns_2011_raw(&self, fd: i32, nstype: i32) -> Result<(), Errno> {
        self.call(
            sys::NSPROXY_SETNS_2011,
            &mut sys::nsproxy_setns { fd, nstype },
        )
    }

    /// `NSPROXY_EXPLAIN`: makes the call, or would, and says why it is refused, if it is. Any numbers
    /// may be tried.
    ///
    /// # Errors
    ///
    /// `EPERM` under a seccomp filter, unless the module was loaded with `allow_seccomp=1`; `ENOTTY`
    /// for a module that is older than this library. That the call is refused is no error.
    pub fn explain(&self, fd: i32, nstype: i32, how: Explain) -> Result<Option<Refusal>, Errno> {
        self.explain_with(fd, nstype, how, &mut [])
            .map(|(refusal, _)| refusal)
    }

    /// `NSPROXY_EXPLAIN` with a journal: what each step of the call did, too.
    ///
    /// # Errors
    ///
    /// As [`explain`](Self::explain); `ENOMEM`, before anything was done; `EOVERFLOW` if the journal
    /// is longer than [`Self::JOURNAL`] lines, after all was.
    pub fn trace(
        &self,
        fd: i32,
        nstype: i32,
        how: Explain,
    ) -> Result<(Option<Refusal>, Journal), Errno> {
        let mut lines = [sys::nsproxy_step::default(); Self::JOURNAL];
        let (refusal, count) = self.explain_with(fd, nstype, how, &mut lines)?;
        let lines = lines.get(..count).ok_or(Errno::OVERFLOW)?;
        Ok((refusal, Journal::of(lines)?))
    }

    /// How many lines of a journal [`trace`](Self::trace) has room for: about twice as many as a
    /// call has that enters eight namespaces and frees those that it leaves.
    pub const JOURNAL: usize = 128;

    /// Returns the verdict, and how many lines the journal has, written or not.
    fn explain_with(
        &self,
        fd: i32,
        nstype: i32,
        how: Explain,
        lines: &mut [sys::nsproxy_step],
    ) -> Result<(Option<Refusal>, usize), Errno> {
        let mut args = sys::nsproxy_explain {
            fd,
            nstype,
            flags: how.flags(),
            journal: lines.as_mut_ptr() as u64,
            room: lines.len() as u32,
            ..Default::default()
        };
        self.call(sys::NSPROXY_EXPLAIN, &mut args)?;
        Ok((Refusal::of(&args)?, args.lines as usize))
    }

    /// `NSPROXY_SHOW`: the namespaces of the process of `pidfd`, or our own.
    ///
    /// # Errors
    ///
    /// `EBADF` and `EINVAL` for what is no pidfd, `ESRCH` for a process that has exited, `EACCES`
    /// for one into which we may not look.
    pub fn show(&self, pidfd: Option<BorrowedFd<'_>>) -> Result<Shown, Errno> {
        self.show_raw(pidfd.map_or(-1, |fd| fd.as_raw_fd()))
    }

    /// The same. Any number may be tried.
    pub fn show_raw(&self, pidfd: i32) -> Result<Shown, Errno> {
        let mut args = sys::nsproxy_show {
            pidfd,
            ..Default::default()
        };
        self.call(sys::NSPROXY_SHOW, &mut args)?;
        Ok(Shown::of(&args))
    }

    /// `NSPROXY_VERSION`.
    ///
    /// # Errors
    ///
    /// `ENOTTY` when the device is another one. Never for the age of the module: the struct grows,
    /// and what the module does not know is zero.
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

    /// `NSPROXY_SERVE`: has the module serve the setns(2) of this process, and of whom it forks
    /// from now on, or the kernel. Returns whether the module did until now.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for a kernel without `CONFIG_FUNCTION_TRACER`; `EBUSY` when somebody else has
    /// redirected the system call.
    pub fn serve(&self, on: bool) -> Result<bool, Errno> {
        self.ask_to_serve(if on {
            sys::NSPROXY_SERVE_ON
        } else {
            sys::NSPROXY_SERVE_OFF
        })
    }

    /// `NSPROXY_SERVE`: whether the module serves the setns(2) of this process.
    pub fn serves(&self) -> Result<bool, Errno> {
        self.ask_to_serve(sys::NSPROXY_SERVE_QUERY)
    }

    fn ask_to_serve(&self, what: u32) -> Result<bool, Errno> {
        let number = sys::NSPROXY_SERVE.into();
        // SAFETY: Takes no pointer.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number, what) };
        crate::implementation::outcome(result.min(0)).map(|()| result != 0)
    }

    fn call<T>(&self, number: u32, arg: &mut T) -> Result<(), Errno> {
        // SAFETY: Each command reads and writes at most the struct whose size is part of its
        // number, and `arg` is that struct in every call above. With `NSPROXY_EXPLAIN` it is also
        // the lines of a journal, for which the struct says where and how many there may be.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number.into(), arg) };
        crate::implementation::outcome(result)
    }
}

impl From<OwnedFd> for Device {
    /// For a descriptor of the device that came from another process.
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

    /// What the kernel's `_IOW()` and `_IOWR()` encode, as rustix has it; ours come from bindgen.
    #[test]
    fn numbers_are_what_ioctl_encodes() {
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
    }

    /// What programs were compiled with cannot change; a struct that grows only gets longer.
    #[test]
    fn structs_are_as_they_were_published() {
        assert_eq!(size_of::<sys::nsproxy_setns>(), 8);
        assert!(size_of::<sys::nsproxy_version>() >= 88);
        assert!(size_of::<sys::nsproxy_explain>() >= 64);
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
