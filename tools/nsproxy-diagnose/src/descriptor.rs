// SPDX-License-Identifier: GPL-2.0-only

//! The files that setns(2) takes.

use crate::{namespace::Namespace, task::Task};
use nsproxy_uapi::{Kind, nsfs};
use rustix::io::Errno;
use std::os::fd::AsFd as _;

/// The object behind a descriptor.
#[derive(Debug)]
pub enum Descriptor {
    /// A file of nsfs.
    Namespace(Kind, Namespace),
    /// A pidfd, with the number of the process in `/proc`; [`None`] if the process has been reaped, or if
    /// `/proc` does not show it.
    Process(Option<u32>),
    /// Any other file.
    Other,
}

impl Task {
    /// Returns the object behind its descriptor `fd`, which may be any number.
    ///
    /// # Errors
    ///
    /// `EBADF`: it is not open; `EPERM`: ptrace(2) denies access to the task.
    pub fn descriptor(&self, fd: i32) -> Result<Descriptor, Errno> {
        let file = self.file(fd)?;
        if let Ok(kind) = nsfs::kind(&file) {
            return Namespace::new(file).map(|namespace| Descriptor::Namespace(kind, namespace));
        }
        Ok(match self.number_of(file.as_fd()) {
            Ok(number) => Descriptor::Process(number),
            Err(Errno::SRCH) => Descriptor::Process(None),
            Err(_) => Descriptor::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{PidfdFlags, getpid, pidfd_open};
    use std::{fs::File, os::fd::AsRawFd as _};

    #[test]
    fn descriptors_of_each_type() {
        let task = Task::current();
        let net = File::open("/proc/self/ns/net").unwrap();
        let descriptor = task.descriptor(net.as_raw_fd()).unwrap();
        let Descriptor::Namespace(Kind::Net, namespace) = descriptor else {
            panic!("{descriptor:?}");
        };
        assert!(namespace.is(&Namespace::new(net.into()).unwrap()));
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let descriptor = task.descriptor(pidfd.as_raw_fd()).unwrap();
        let own = getpid().as_raw_pid() as u32;
        assert!(
            matches!(descriptor, Descriptor::Process(Some(number)) if number == own),
            "{descriptor:?}"
        );
        let null = File::open("/dev/null").unwrap();
        let descriptor = task.descriptor(null.as_raw_fd()).unwrap();
        assert!(matches!(descriptor, Descriptor::Other), "{descriptor:?}");
        assert_eq!(task.descriptor(-1).unwrap_err(), Errno::BADF);
    }
}
