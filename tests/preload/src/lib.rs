// SPDX-License-Identifier: GPL-2.0-only

//! Has programs that know nothing of `/dev/nsproxy` go through it, where they call setns(2):
//!
//! ```text
//! LD_PRELOAD=/lib/libnsproxy_preload.so /usr/bin/nsenter --target 123 --net ip link
//! ```
//!
//! There is no way from here to the system call. A program that calls [`setns`] where the device
//! cannot be reached is ended by `SIGABRT` and told why: any error that it got instead it might
//! take for an answer.
//!
//! The device is opened when the program starts, since later it may be in another mount namespace,
//! another root, or another user; and kept where no program looks for its own file descriptors. It
//! is opened for each program anew: what a program executes, has the library, too, unless it cleared
//! the environment.
//!
//! With `NSPROXY_PRELOAD_LOG` naming a file, each call appends a line to it: the process, `nstype`,
//! and 0 or errno.
//!
//! What it cannot see: programs that are linked statically, or that make the system call themselves.

mod kept;

use kept::Kept;
use nsproxy_uapi::Device;
use rustix::io::Errno;
use std::{
    env,
    ffi::{c_int, c_uint},
    fmt,
    fs::File,
    io::{Cursor, Write as _},
    process,
    sync::OnceLock,
};

/// The file that calls are counted in.
const LOG: &str = "NSPROXY_PRELOAD_LOG";

/// What was opened when the program started.
static OPENED: OnceLock<Opened> = OnceLock::new();

struct Opened {
    device: Result<Kept<Device>, Errno>,
    /// [`None`] if nobody wants one.
    log: Option<Result<Kept<File>, Errno>>,
}

/// setns(2), by the device.
///
/// Returns 0, or -1 and sets errno as libc does; errno stays as it is if nothing failed.
#[unsafe(no_mangle)]
pub extern "C" fn setns(fd: c_int, nstype: c_int) -> c_int {
    let before = errno();
    let opened = OPENED.get_or_init(open);
    let outcome = match &opened.device {
        Ok(device) if device.is_there() => device.get().setns_raw(fd, nstype),
        // It was not there, or the program has closed it: what is there now?
        _ => match Device::open() {
            Ok(device) => device.setns_raw(fd, nstype),
            Err(errno) => die(format_args!("cannot open {}: {errno}", Device::PATH)),
        },
    };
    let code = outcome.err().map_or(0, Errno::raw_os_error);
    match &opened.log {
        None => {}
        Some(Ok(log)) if log.is_there() => count(log.get(), nstype, code),
        Some(Ok(_)) => die(format_args!("the program has closed {LOG}")),
        Some(Err(errno)) => die(format_args!("cannot open {LOG}: {errno}")),
    }
    match outcome {
        Ok(()) => {
            set_errno(before);
            0
        }
        Err(_) => {
            set_errno(code);
            -1
        }
    }
}

/// Runs before `main()`.
#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn() = {
    extern "C" fn init() {
        let before = errno();
        OPENED.get_or_init(open);
        set_errno(before);
    }
    init
};

fn open() -> Opened {
    Opened {
        device: Device::open().and_then(Kept::new),
        log: env::var_os(LOG).map(|path| {
            let log = File::options().create(true).append(true).open(path);
            log.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
                .and_then(Kept::new)
        }),
    }
}

/// One write for a line, and no allocation: this may be the child of a `vfork()`.
fn count(mut log: &File, nstype: c_int, code: i32) {
    let mut line = Cursor::new([0; 64]);
    let written = writeln!(line, "{} {:#x} {code}", process::id(), nstype as c_uint)
        .and_then(|()| log.write_all(&line.get_ref()[..line.position() as usize]));
    if let Err(error) = written {
        die(format_args!("cannot write {LOG}: {error}"));
    }
}

fn die(why: fmt::Arguments<'_>) -> ! {
    eprintln!("nsproxy-preload: a call of setns(2) cannot be served: {why}");
    process::abort()
}

fn errno() -> c_int {
    // SAFETY: It points to this thread's errno.
    unsafe { *libc::__errno_location() }
}

fn set_errno(errno: c_int) {
    // SAFETY: It points to this thread's errno.
    unsafe { *libc::__errno_location() = errno };
}
