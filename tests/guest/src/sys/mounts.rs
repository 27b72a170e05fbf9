// SPDX-License-Identifier: GPL-2.0-only

//! Mounts.

use super::checked;
use rustix::io::Errno;
use std::ffi::c_long;

/// The system call's number, which libc does not know yet.
const SYS_LISTMOUNT: c_long = 458;
/// The mount that everything else is below, whichever that is.
const LSMT_ROOT: u64 = u64::MAX;
/// As many as are asked for at a time.
const ROOM: usize = 64;

/// `struct mnt_id_req`, as it was at first.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mnt_id: u64,
    /// The last one that is known.
    param: u64,
}

/// How many mounts there are below the caller's root, as `listmount()` has them: of
/// `/proc/self/mountinfo` the kernel writes a line for each, which takes its time.
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
        // SAFETY: The request is as long as it says, the room for ids as long as is said, and both
        // live until it returns.
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
