// SPDX-License-Identifier: GPL-2.0-only

//! The programs to be traced. This test binary runs one if the environment names it.

use nsproxy_uapi::{Kind, setns_raw, unshare_raw};
use rustix::process::geteuid;
use std::{
    env,
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    process::{Child, Command, ExitCode, Stdio},
    sync::Barrier,
    thread,
};

/// The variable of the environment that names the program.
pub(crate) const VARIABLE: &str = "NSPROXY_TRACED_PROGRAM";

/// Runs the program that the environment names, if it does.
pub(crate) fn run() -> Option<ExitCode> {
    let name = env::var(VARIABLE).ok()?;
    let result = match name.as_str() {
        "two-threads" => two_threads(),
        "enter" => enter(),
        "enter-without-init" => enter_without_init(),
        "thread-executes" => thread_executes(),
        "set-bad-fd" => set_bad_fd(),
        "threads" => threads(),
        _ => Err(io::Error::other(format!("unknown program {name}"))),
    };
    Some(result.unwrap_or_else(|error| {
        println!("{name}: {error}");
        ExitCode::FAILURE
    }))
}

fn own(link: &str) -> io::Result<File> {
    File::open(format!("/proc/thread-self/ns/{link}"))
}

fn enter_file(file: &File, kind: Kind) -> io::Result<()> {
    Ok(setns_raw(file.as_raw_fd(), kind.flag() as i32)?)
}

/// Gains the capabilities for all that follows.
fn create_user_ns(others: u32) -> io::Result<()> {
    let user = match geteuid().is_root() {
        true => 0,
        false => Kind::User.flag(),
    };
    match user | others {
        0 => Ok(()),
        flags => Ok(unshare_raw(flags.into())?),
    }
}

/// The second of two threads enters a mount namespace. Exits with 3 if that fails with `EINVAL`.
fn two_threads() -> io::Result<ExitCode> {
    create_user_ns(Kind::Mnt.flag())?;
    let second = thread::Builder::new().name("second".to_owned());
    let second = second.spawn(|| enter_file(&own("mnt")?, Kind::Mnt))?;
    let result = second.join().expect("the thread does not panic");
    Ok(match result.map_err(|error| error.raw_os_error()) {
        Err(Some(libc::EINVAL)) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    })
}

/// Enters namespaces of three kinds, twice, and executes a program.
fn enter() -> io::Result<ExitCode> {
    create_user_ns(0)?;
    unshare_raw((Kind::Mnt.flag() | Kind::Net.flag() | Kind::Pid.flag()).into())?;
    let (mnt, net) = (own("mnt")?, own("net")?);
    // Its init, until the end of this process.
    let mut init = cat().spawn()?;
    let pid = own("pid_for_children")?;
    unshare_raw(Kind::Net.flag().into())?;
    for _ in 0..2 {
        enter_file(&pid, Kind::Pid)?;
        enter_file(&net, Kind::Net)?;
        enter_file(&mnt, Kind::Mnt)?;
    }
    // exec() returns only if it fails, and closes the input of init.
    let error = Command::new("true").exec();
    init.kill()?;
    Err(error)
}

fn enter_without_init() -> io::Result<ExitCode> {
    create_user_ns(0)?;
    unshare_raw(Kind::Pid.flag().into())?;
    let mut init: Child = cat().spawn()?;
    let pid = own("pid_for_children")?;
    init.kill()?;
    init.wait()?;
    enter_file(&pid, Kind::Pid)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads its input until this process closes it.
fn cat() -> Command {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::null());
    cat
}

/// A thread that is not the leader executes this binary again.
fn thread_executes() -> io::Result<ExitCode> {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            loop {
                thread::park();
            }
        });
        let second = scope.spawn(|| {
            barrier.wait();
            let binary = env::current_exe().expect("/proc is mounted");
            Command::new(binary).env(VARIABLE, "set-bad-fd").exec()
        });
        Err(second.join().expect("the thread does not panic"))
    })
}

fn set_bad_fd() -> io::Result<ExitCode> {
    match setns_raw(-1, 0) {
        Err(_) => Ok(ExitCode::from(5)),
        Ok(()) => Ok(ExitCode::FAILURE),
    }
}

/// Threads start threads, and all are killed when the process exits.
fn threads() -> io::Result<ExitCode> {
    for _ in 0..4 {
        thread::spawn(|| {
            loop {
                thread::spawn(|| {})
                    .join()
                    .expect("the thread does not panic");
            }
        });
    }
    for _ in 0..20 {
        let mut child = Command::new("true").spawn()?;
        child.wait()?;
    }
    Ok(ExitCode::from(4))
}
