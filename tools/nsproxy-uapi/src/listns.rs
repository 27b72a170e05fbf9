// SPDX-License-Identifier: GPL-2.0-only

//! listns(2): the ids of the namespaces in use.

use rustix::io::Errno;
use std::{
    ffi::{c_long, c_uint},
    io, mem,
};

/// The number on x86-64 and in the generic table (arm64, riscv, loongarch).
const SYS_LISTNS: c_long = 470;

/// `struct ns_id_req` of `linux/nsfs.h`.
#[repr(C)]
struct NsIdReq {
    size: u32,
    spare: u32,
    /// The id after which the list continues.
    ns_id: u64,
    ns_type: u32,
    spare2: u32,
    /// The owner, as a filter.
    user_ns_id: u64,
}

/// Returns the ids of all active namespaces of the kinds in `types`, a set of `CLONE_NEW*`, that the
/// caller may see. 0 selects all kinds.
///
/// Linux 7.3 shows all of them to a caller in the initial pid namespace that has `CAP_SYS_ADMIN` in
/// the initial user namespace, and to others only those that they are in.
///
/// # Errors
///
/// `ENOSYS` before Linux 6.19; `EOPNOTSUPP` for other bits in `types`.
pub fn listns(types: u32) -> Result<Vec<u64>, Errno> {
    all_pages(|last, ids| page(types, last, ids))
}

/// Calls `page` until it returns fewer ids than it has room for, each time with the last id.
fn all_pages(
    mut page: impl FnMut(u64, &mut [u64]) -> Result<usize, Errno>,
) -> Result<Vec<u64>, Errno> {
    const AT_ONCE: usize = 64;
    let mut all = Vec::new();
    loop {
        let mut ids = [0_u64; AT_ONCE];
        let n = match page(all.last().copied().unwrap_or(0), &mut ids) {
            Ok(n) => n,
            // No id is greater than the last one.
            Err(Errno::NOENT) if !all.is_empty() => 0,
            Err(errno) => return Err(errno),
        };
        all.extend(&ids[..n]);
        if n < AT_ONCE {
            return Ok(all);
        }
    }
}

/// Writes the ids that follow `last` to `ids`. Returns their number.
fn page(types: u32, last: u64, ids: &mut [u64]) -> Result<usize, Errno> {
    let request = NsIdReq {
        size: mem::size_of::<NsIdReq>() as u32,
        spare: 0,
        ns_id: last,
        ns_type: types,
        spare2: 0,
        user_ns_id: 0,
    };
    let flags: c_uint = 0;
    // SAFETY: `request` is as big as its size says, and `ids` has room for `ids.len()` numbers.
    let n = unsafe {
        libc::syscall(
            SYS_LISTNS,
            &raw const request,
            ids.as_mut_ptr(),
            ids.len(),
            flags,
        )
    };
    usize::try_from(n)
        .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PROTO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, nsfs};
    use std::fs::File;

    /// Returns the pages of a list that has the ids from 1 to `last`.
    fn pages(last: u64) -> impl FnMut(u64, &mut [u64]) -> Result<usize, Errno> {
        move |after, ids| {
            if after > 0 && after >= last {
                return Err(Errno::NOENT);
            }
            let found = ids.iter_mut().zip(after + 1..=last);
            Ok(found.map(|(to, id)| *to = id).count())
        }
    }

    #[test]
    fn a_list_of_any_length_is_complete() {
        for last in [0, 1, 63, 64, 65, 128, 1000] {
            let expected: Vec<_> = (1..=last).collect();
            assert_eq!(all_pages(pages(last)), Ok(expected));
        }
    }

    #[test]
    fn an_error_of_the_first_page_is_returned() {
        for errno in [Errno::NOSYS, Errno::NOENT] {
            assert_eq!(all_pages(|_, _| Err(errno)), Err(errno));
        }
    }

    #[test]
    fn the_own_namespaces_are_listed() {
        for kind in Kind::ALL {
            // Since Linux 6.19, and a seccomp filter may deny it.
            let Ok(ids) = listns(kind.flag()) else { return };
            let file = File::open(format!("/proc/self/ns/{}", kind.name())).unwrap();
            assert!(ids.contains(&nsfs::id(file).unwrap()), "{kind:?}");
        }
    }
}
