// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm shell`.

use crate::{
    accel,
    cli::ShellArgs,
    guest::{self, Parts},
    host_port::HostPort,
    qemu::{self, Consoles},
    terminal::{RawTerminal, forward_keys, send_size},
};
use anyhow::{Context as _, Result, anyhow};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    env,
    fs::{self, File},
    io::{self, IsTerminal as _},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    process::{ChildStdin, ExitCode, Stdio},
    thread,
};

/// The number of CPUs of the guest: a background job must not slow down the shell.
const CPUS: u32 = 2;

pub(crate) fn main(args: &ShellArgs) -> Result<ExitCode> {
    let parts = Parts::make(&args.guest)?;
    let choice = accel::choose(args.guest.accel, &parts)?;

    let mut parameters = String::new();
    if args.command.is_some() {
        parameters += "nsproxy.command=host ";
    }
    // The output of a command may go to a file. There it must not have colours.
    if args.command.is_some() && !io::stdout().is_terminal() {
        parameters += "nsproxy.term=dumb";
    } else if let Ok(term) = env::var("TERM") {
        parameters += &format!("nsproxy.term={term}");
    }

    let logs = parts.results.join("shell");
    fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let (size, guest_size) = inherited_socket()?;
    let (host, guest_host) = inherited_socket()?;
    let consoles = Consoles::Terminal {
        logs: &logs,
        size: guest_size.as_fd(),
        host: guest_host.as_fd(),
    };
    let arguments = qemu::arguments(
        &parts.kernel,
        parts.initramfs.of_shell(),
        choice.accel,
        CPUS,
        &parameters,
        &consoles,
    );
    eprintln!(
        "Kernel {}, {}; its messages: {}",
        parts.kernel.name,
        choice.why,
        logs.display()
    );
    let default_dir = || args.guest.results.join("host");
    let save_dir = args.save_dir.clone().unwrap_or_else(default_dir);
    let port = HostPort::new(&save_dir, args.command.as_deref())?;

    // QEMU could own the terminal, and its multiplexer handles Ctrl-A X, too. However, the
    // multiplexer drops input that arrives before the guest reads. Without the multiplexer, QEMU
    // makes the terminal non-blocking, so that reads of other programs fail with EAGAIN.
    let raw = args.command.is_none().then(RawTerminal::new).transpose()?;
    let input = match args.command {
        Some(_) => Stdio::null(),
        None => Stdio::piped(),
    };
    let mut qemu = guest::start(parts.kernel.arch(), &arguments, |command| {
        command.stdin(input).stdout(Stdio::piped());
    })?;
    drop((guest_size, guest_host));
    let replies = host.try_clone()?;
    let port = thread::spawn(move || port.serve(host, replies));
    if let Some(to_guest) = qemu.stdin.take() {
        thread::spawn(move || send_size(size));
        let pidfd = pidfd_open(Pid::from_child(&qemu), PidfdFlags::empty())?;
        thread::spawn(move || forward_input(to_guest, &pidfd));
    }
    let mut from_guest = qemu.stdout.take().context("QEMU has no output")?;

    // Without Rust's buffer, which would hold back a prompt: it has no line feed.
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let shown = io::copy(&mut from_guest, &mut stdout);
    if shown.is_err() {
        qemu.kill().context("cannot kill QEMU")?;
    }
    let status = qemu.wait().context("cannot wait for QEMU")?;
    drop(raw);
    shown.context("cannot print the output of the guest")?;
    let requests = port.join().map_err(|_| anyhow!("the host port panicked"))?;
    for path in requests.saved {
        eprintln!("saved on the host: {}", path.display());
    }
    if args.command.is_some() {
        // A guest that died did not report the status of its command.
        return Ok(requests.status.map_or(ExitCode::FAILURE, ExitCode::from));
    }
    let left = status.signal() == Some(Signal::KILL.as_raw());
    Ok(if status.success() || left {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns a socket and its other end, which QEMU inherits and refers to by number.
fn inherited_socket() -> Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    fcntl_setfd(&theirs, FdFlags::empty())?;
    Ok((ours, theirs))
}

/// Forwards standard input to the guest, and kills QEMU when the user leaves.
fn forward_input(to_guest: ChildStdin, qemu: impl AsFd) {
    if let Err(error) = forward_keys(io::stdin(), to_guest) {
        eprintln!("nsproxy-vm: cannot read standard input: {error}\r");
    }
    // Fails if QEMU has already exited. QEMU reports any other signal on the terminal.
    let _ = pidfd_send_signal(qemu, Signal::KILL);
}
