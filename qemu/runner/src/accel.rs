// SPDX-License-Identifier: GPL-2.0-only

//! Whether KVM works here. That its device can be opened says little: there are hosts on which
//! the guest never gets past its first instructions. So one is booted.

use crate::{
    cli::{Accel, GuestArgs},
    clock,
    guest::{Guest, Parts},
    qemu::QEMU,
    suite::Suite,
};
use anyhow::Result;
use nsproxy_results::Class;
use rustix::fs::{FlockOperation, flock};
use std::{
    env,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

/// A guest with KVM is up long before that.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to use, and why, for people.
pub(crate) struct Choice {
    pub(crate) accel: Accel,
    pub(crate) why: String,
}

impl Choice {
    fn tcg(why: impl Into<String>) -> Self {
        Self {
            accel: Accel::Tcg,
            why: format!("emulation ({})", why.into()),
        }
    }

    fn kvm(why: impl Into<String>) -> Self {
        Self {
            accel: Accel::Kvm,
            why: format!("KVM ({})", why.into()),
        }
    }
}

/// Prints the choice and the kernel parameters for the clock of such a guest, for programs that
/// start QEMU themselves: `nsproxy-vm accel`.
pub(crate) fn main(args: &GuestArgs) -> Result<ExitCode> {
    let parts = Parts::make(args)?;
    let choice = choose(args.accel, &parts)?;
    eprintln!("Kernel {}, {}", parts.kernel.name, choice.why);
    // Those programs know no other form of emulation.
    let (name, accel) = match choice.accel {
        Accel::Kvm => ("kvm", Accel::Kvm),
        _ => ("tcg", Accel::Tcg),
    };
    println!("{name} {}", clock::parameters(accel));
    Ok(ExitCode::SUCCESS)
}

/// Follows what was asked for, or finds out: once, until the host boots again or QEMU is another.
pub(crate) fn choose(asked: Accel, parts: &Parts) -> Result<Choice> {
    match asked {
        Accel::Kvm => return Ok(Choice::kvm("asked for")),
        Accel::Tcg => return Ok(Choice::tcg("asked for")),
        Accel::Icount => {
            return Ok(Choice {
                accel: Accel::Icount,
                why: "emulation, its clock counts instructions".to_owned(),
            });
        }
        Accel::Parallel => {
            let choice = choose(Accel::Auto, parts)?;
            return Ok(match choice.accel {
                Accel::Tcg => Choice {
                    accel: Accel::Parallel,
                    ..choice
                },
                _ => choice,
            });
        }
        Accel::Auto => {}
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return Ok(Choice::tcg(format!("/dev/kvm: {error}")));
    }

    let known = answer_file();
    // One tries, and whoever comes meanwhile waits for the answer.
    let _turn = known.as_deref().and_then(turn);
    match known
        .as_ref()
        .and_then(|file| fs::read_to_string(file).ok())
        .as_deref()
    {
        Some("kvm") => return Ok(Choice::kvm("a guest came up with it before")),
        Some("tcg") => return Ok(Choice::tcg("no guest came up with KVM when it was tried")),
        _ => {}
    }

    eprintln!("Trying whether a guest comes up with KVM ...");
    let guest = Guest {
        parts,
        accel: Accel::Kvm,
        timeout: PATIENCE,
        silence: PATIENCE,
        options: &[],
        test: "",
    };
    let ran = guest.run(
        &Suite::new("runner-probe"),
        parts.results.join("kvm-probe"),
        |_| (),
    )?;
    let works = ran.outcome.class == Class::Passed;
    if let Some(file) = known {
        // Not to know it the next time costs the same seconds again, nothing else.
        let _ = fs::write(file, if works { "kvm" } else { "tcg" });
    }
    Ok(if works {
        Choice::kvm("a guest came up with it")
    } else {
        Choice::tcg(format!(
            "/dev/kvm is there, but a guest with it did not come up in {} s",
            PATIENCE.as_secs()
        ))
    })
}

/// Waits until nobody else tries, as long as the returned file is open. [`None`] where no file can
/// be made, and no answer kept.
fn turn(answer: &Path) -> Option<File> {
    let dir = answer.parent()?;
    fs::create_dir_all(dir).ok()?;
    let lock = File::create(dir.join("lock")).ok()?;
    flock(&lock, FlockOperation::LockExclusive).ok()?;
    Some(lock)
}

/// Where the answer is kept: for this boot of the host and this QEMU.
fn answer_file() -> Option<PathBuf> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let version = Command::new(QEMU).arg("--version").output().ok()?.stdout;
    let version = String::from_utf8(version).ok()?;
    let version = version.split_whitespace().nth(3)?;
    let name = format!("{}-qemu-{version}", boot.trim());
    let dir = |variable: &str| env::var_os(variable).map(PathBuf::from);
    let cache = dir("NSPROXY_CACHE")
        .or_else(|| Some(dir("XDG_CACHE_HOME")?.join("nsproxy_rs")))
        .or_else(|| Some(dir("HOME")?.join(".cache/nsproxy_rs")))?;
    Some(cache.join("kvm").join(name))
}
