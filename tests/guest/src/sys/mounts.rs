// SPDX-License-Identifier: GPL-2.0-only

//! Mounts.

use super::checked;
use rustix::io::Errno;
use std::ffi::c_long;

/// The number of the system call, which libc does not have yet.
const SYS_LISTMOUNT: c_long = 458;
/// The id that stands for the root mount.
const LSMT_ROOT: u64 = u64::MAX;
/// The maximum number of ids that a call returns.
const ROOM: usize = 64;

/// The first version of `struct mnt_id_req`.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mnt_id: u64,
    /// The last id of the previous call.
    param: u64,
}

/// Returns the number of mounts below the caller's root, by `listmount()`, which is faster than
/// `/proc/self/mountinfo`.
pub(crate) fn count_mounts() -> Result<usize, Errno> {
    let mut ids = [0_u64; ROOM];
    let mut request = Request {
        size: size_of::<Request>() as u32,
        spare: 0,
        mnt_id: LSMT_ROOT,
        param: 0,
    };
    let mut count = 0;
    loop {
        // SAFETY: The request has the size that it contains, `ids` has space for `ROOM` ids, and
        // both live until the call returns.
        let more = checked(unsafe {
            libc::syscall(SYS_LISTMOUNT, &raw const request, ids.as_mut_ptr(), ROOM, 0)
        })? as usize;
        count += more;
        if more < ROOM {
            return Ok(count);
        }
        request.param = ids[ROOM - 1];
    }
}
