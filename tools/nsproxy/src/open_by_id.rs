// SPDX-License-Identifier: GPL-2.0-only

//! Opens a namespace by its id: by a file handle of nsfs, or by a path that shows it.

use crate::list::{NamespaceInfo, Scan, open_nsfs, sees_all};
use nsproxy_uapi::{Kind, listns, nsfs, open_by_id};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Opens the namespace with this id.
///
/// # Errors
///
/// Those of [`nsproxy_uapi::open_by_id()`], if `/proc` does not show the namespace either.
pub(crate) fn open(id: u64) -> Result<OwnedFd, Errno> {
    open_by_id(id, None).or_else(|errno| {
        // A path needs other permissions than a handle, and Linux 6.18 does not find a bare id.
        let scan = Scan::read().map_err(|_| errno)?;
        let mut infos = scan.namespaces.iter();
        let info = infos.find(|info| info.id == Some(id)).ok_or(errno)?;
        by_path(id, info)
            .or_else(|| by_place(id, info))
            .ok_or(errno)
    })
}

/// Opens a namespace by a path. Verifies its id, since the path may refer to another file by now.
fn by_path(id: u64, info: &NamespaceInfo) -> Option<OwnedFd> {
    let file = open_nsfs(info.path.as_ref()?).ok()?;
    (nsfs::id(&file) == Ok(id)).then_some(file)
}

/// Opens a namespace by a handle with the kind and the inode number, which Linux 6.18 requires.
fn by_place(id: u64, info: &NamespaceInfo) -> Option<OwnedFd> {
    let inode = u32::try_from(info.inode?).ok()?;
    open_by_id(id, Some((info.kind, inode))).ok()
}

/// Returns a hint for an error of [`open`].
pub(crate) fn hint(errno: Errno) -> Option<String> {
    let hint = match errno {
        Errno::STALE if listns(Kind::User.flag()) == Err(Errno::NOSYS) => {
            "nsproxy list prints the ids; Linux 6.18 opens a namespace by its id only if /proc \
             shows it to the caller"
        }
        Errno::STALE if sees_all() => "nsproxy list prints the ids of the namespaces in use",
        Errno::STALE => {
            "nsproxy list prints the ids; to open a namespace that the caller is not in, run with \
             CAP_SYS_ADMIN in the initial user and pid namespaces"
        }
        Errno::BADF => {
            "entering by id requires Linux 6.18; name a file in /proc/PID/ns, or a bind mount of \
             one"
        }
        Errno::NOSYS => {
            "the kernel was built without CONFIG_FHANDLE; name a file in /proc/PID/ns, or a bind \
             mount of one"
        }
        Errno::PERM => {
            "a seccomp filter denies open_by_handle_at(2); name a file in /proc/PID/ns, or a bind \
             mount of one"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn own_namespaces_are_opened_by_their_ids() {
        for kind in Kind::ALL {
            let file = File::open(format!("/proc/self/ns/{}", kind.name())).unwrap();
            // Since Linux 6.18.
            let Ok(id) = nsfs::id(&file) else { return };
            let opened = open(id).unwrap();
            assert_eq!((nsfs::id(&opened), nsfs::kind(&opened)), (Ok(id), Ok(kind)));
        }
    }

    #[test]
    fn an_error_about_an_id_has_a_hint() {
        let errno = open(u64::MAX).unwrap_err();
        assert!(hint(errno).is_some(), "{errno:?}");
        assert!(hint(Errno::BADF).unwrap().contains("requires Linux 6.18"));
        assert!(hint(Errno::STALE).unwrap().contains("nsproxy list"));
    }
}
