// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm profile`: the instructions of a call by function, for two implementations.
//!
//! The guest's suite `profile` makes the calls that `bench` measures. QEMU logs every instruction
//! of some calls: the runner sets translation blocks to one instruction, and logs each block.
//! Neither changes the instructions that the guest executes, so the sums are those of `make bench`.

mod monitor;
mod symbols;
mod table;
mod trace;
mod tracer;

use crate::{
    cli::{Accel, ProfileArgs},
    guest::{Guest, Parts},
    qemu::TRACER_PORT,
    report::{self, Line, Paint},
    results::Arrivals,
    suite::Suite,
};
use anyhow::{Context as _, Result, anyhow};
use monitor::Monitor;
use nsproxy_results::Class;
use rustix::io::{FdFlags, fcntl_setfd};
use std::{
    fs,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    process::{ExitCode, Stdio},
    thread,
};
use tracer::{Profiles, Tracer};

/// The suite, and the name that its results are filed under.
const SUITE: &str = "profile";

pub(crate) fn main(args: &ProfileArgs) -> Result<ExitCode> {
    let parts = Parts::make(&args.guest)?;
    let kernel = &parts.kernel;
    let guest = Guest {
        parts: &parts,
        accel: Accel::Icount,
        timeout: 2 * kernel.timeout(),
        silence: 2 * kernel.timeout(),
        options: &[],
        test: "",
    };
    eprintln!(
        "Kernel {}, QEMU logs every instruction of some calls",
        kernel.name
    );

    let dir = parts.results.join(SUITE);
    let mut arguments = guest.prepare(&Suite::new(SUITE).with_cpus(1), &dir)?;
    let (ours, theirs) = UnixStream::pair()?;
    // QEMU inherits the descriptor and refers to it by number.
    fcntl_setfd(&theirs, FdFlags::empty())?;
    let socket = format!("socket,id=monitor,fd={}", theirs.as_raw_fd());
    let port = format!("virtserialport,chardev=tracer,name={TRACER_PORT}");
    arguments.extend(
        [
            "-chardev",
            &socket,
            "-mon",
            "chardev=monitor,mode=control",
            "-chardev",
            "stdio,id=tracer,signal=off",
            "-device",
            &port,
        ]
        .map(Into::into),
    );
    let mut running = guest.start(&dir, &arguments, |command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    })?;
    drop(theirs);
    let to_guest = running.child.stdin.take().context("QEMU has no input")?;
    let from_guest = running.child.stdout.take().context("QEMU has no output")?;
    let tracer = Tracer::new(Monitor::new(ours)?, dir.join("trace.log"));
    let tracer = thread::spawn(move || tracer.serve(from_guest, to_guest));
    let ran = running.wait(|_| ())?;
    let logged = tracer.join().map_err(|_| anyhow!("the tracer panicked"))?;
    let profiles = match logged {
        Ok(profiles) => profiles,
        Err(error) if ran.outcome.class == Class::Passed => return Err(error),
        // The failure of the guest is the more specific error.
        Err(_) => Profiles::default(),
    };

    let mut shown = 0;
    for (name, [reference, subject]) in profiles.pairs() {
        let table = table::table(name, reference, subject);
        let path = dir.join(format!("{name}.txt"));
        fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
        if name.contains(&args.call) {
            println!("{table}");
            shown += 1;
        }
    }
    report::head();
    let line = Line {
        suite: SUITE.to_owned(),
        ran,
        arrivals: Arrivals::default(),
    };
    report::line(&line, None, &Paint::new());
    let class = line.ran.outcome.class;
    if class == Class::Passed {
        if shown == 0 {
            eprintln!("no call has {:?} in its name", args.call);
        }
        eprintln!("All calls, a file each: {}", dir.display());
    }
    println!("{}", report::sum(&[line]));
    Ok(ExitCode::from(class.status()))
}
