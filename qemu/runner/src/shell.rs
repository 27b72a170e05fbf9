// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm shell`.

use crate::{
    accel,
    cli::GuestArgs,
    guest::{self, Parts},
    qemu::{self, Consoles},
    terminal::{RawTerminal, pass_on, send_size},
};
use anyhow::{Context as _, Result};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    env,
    fs::{self, File},
    io,
    os::{
        fd::AsFd as _,
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    process::{ExitCode, Stdio},
    thread,
};

/// CPUs of the guest: whoever types may want to have something go on meanwhile.
const CPUS: u32 = 2;

pub(crate) fn main(args: &GuestArgs) -> Result<ExitCode> {
    let parts = Parts::make(args)?;
    let choice = accel::choose(args.accel, &parts)?;

    let mut parameters = String::new();
    if let Ok(term) = env::var("TERM") {
        parameters += &format!("nsproxy.term={term}");
    }

    let logs = parts.results.join("shell");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let (ours, theirs) = UnixStream::pair()?;
    // QEMU inherits the descriptor and refers to it by number.
    fcntl_setfd(&theirs, FdFlags::empty())?;
    let consoles = Consoles::Terminal(&logs, theirs.as_fd());
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

    // QEMU could take the terminal itself, and its multiplexer knows Ctrl-A X, too. But that one
    // keeps to itself what comes before the guest listens, and all that comes after it; and QEMU
    // without it lets reads from a terminal that it writes to fail with EAGAIN.
    let _raw = RawTerminal::new()?;
    let mut qemu = guest::start(&arguments, |command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    })?;
    drop(theirs);
    thread::spawn(move || send_size(ours));
    let to_guest = qemu.stdin.take().context("QEMU has no input")?;
    let mut from_guest = qemu.stdout.take().context("QEMU has no output")?;
    let pidfd = pidfd_open(Pid::from_child(&qemu), PidfdFlags::empty())?;
    thread::spawn(move || {
        if let Err(error) = pass_on(io::stdin(), to_guest) {
            eprintln!("nsproxy-vm: cannot read what is typed: {error}\r");
        }
        // Fails if QEMU ended by itself, which is as well. Of any other signal it would tell.
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    });

    // Not through Rust's own buffer: a prompt has no line feed.
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let shown = io::copy(&mut from_guest, &mut stdout);
    if shown.is_err() {
        qemu.kill().context("cannot end QEMU")?;
    }
    let status = qemu.wait().context("cannot wait for QEMU")?;
    shown.context("cannot show what the guest prints")?;
    let left = status.signal() == Some(Signal::KILL.as_raw());
    Ok(if status.success() || left {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
