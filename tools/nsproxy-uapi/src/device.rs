// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/nsproxy`, open.

use crate::{Kind, sys};
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
    /// `CLONE_NEW*` of every kind that the kernel has.
    pub kinds: u32,
    /// How many symbols that modules cannot link to were resolved.
    pub symbols: u32,
    /// Release of the kernel that the module was built for.
    pub release: String,
}

impl Version {
    /// The kinds that the kernel has.
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

    /// `NSPROXY_VERSION`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a module that is older than this crate and knows a shorter struct.
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

    fn call<T>(&self, number: u32, arg: &mut T) -> Result<(), Errno> {
        // SAFETY: Each command reads and writes at most the struct whose size is part of its
        // number, and `arg` is that struct in every call above.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number.into(), arg) };
        crate::via::outcome(result)
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
    use crate::sys;

    /// What `_IOC()` of the kernel encodes; the numbers themselves are bindgen's.
    const fn ioc(dir: u32, nr: u32, size: usize) -> u32 {
        dir << 30 | (size as u32) << 16 | sys::NSPROXY_IOC_MAGIC << 8 | nr
    }

    #[test]
    fn numbers_are_what_ioctl_encodes() {
        let setns = size_of::<sys::nsproxy_setns>();
        let version = size_of::<sys::nsproxy_version>();
        assert_eq!((setns, version), (8, 88));
        assert_eq!(sys::NSPROXY_SETNS, ioc(1, 0, setns));
        assert_eq!(sys::NSPROXY_SETNS_2011, ioc(1, 1, setns));
        assert_eq!(sys::NSPROXY_VERSION, ioc(3, 2, version));
    }
}
