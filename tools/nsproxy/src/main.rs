// SPDX-License-Identifier: GPL-2.0-only

//! The binary `nsproxy`: enters namespaces through `/dev/nsproxy`.
#![cfg_attr(not(test), no_main)]

use rustix::fs::{Mode, OFlags};
use std::{
    ffi::c_int,
    io::{self, Write as _},
    os::fd::{AsRawFd as _, IntoRawFd as _},
};

/// Runs as C's `main()`, without the start of Rust's runtime.
///
/// The runtime ignores SIGPIPE and opens `/dev/null` in place of closed standard streams, and an
/// executed command would inherit both. glibc has passed the arguments to [`mod@std::env`] before.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main() -> c_int {
    occupy_closed_streams();
    let status = nsproxy::run();
    // Rust's runtime would flush it.
    let _ = io::stdout().flush();
    status
}

/// Prevents files that this program opens from becoming its standard input, output or error where
/// those are closed.
///
/// Reading or writing an `O_PATH` descriptor fails with `EBADF`, as on a closed one. execve(2)
/// closes these descriptors.
fn occupy_closed_streams() {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    while let Ok(file) = rustix::fs::open("/", flags, Mode::empty())
        && file.as_raw_fd() <= libc::STDERR_FILENO
    {
        let _ = file.into_raw_fd();
    }
}
