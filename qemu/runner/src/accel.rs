// SPDX-License-Identifier: GPL-2.0-only

//! The choice between KVM and emulation. On some hosts the KVM device can be opened, but a guest
//! hangs at its first instructions. Therefore the probe boots a guest.

use crate::{
    arch::Arch,
    cli::{Accel, GuestArgs},
    guest::{Guest, Parts},
    suite::Suite,
};
use anyhow::Result;
use nsproxy_results::Class;
use rustix::fs::{FlockOperation, flock};
use std::{
    env,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// The time limit of the probe. A guest with KVM boots in about a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// The accelerator, and the reason for the choice.
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
    // Such programs support no other form of emulation.
    let (name, accel) = match choice.accel {
        Accel::Kvm => ("kvm", Accel::Kvm),
        _ => ("tcg", Accel::Tcg),
    };
    println!("{name} {}", parts.kernel.arch().clock_parameters(accel));
    Ok(ExitCode::SUCCESS)
}

/// Returns the accelerator that the user named, or probes KVM. The result of the probe is kept
/// until the host reboots or QEMU is updated.
pub(crate) fn choose(asked: Accel, parts: &Parts) -> Result<Choice> {
    match asked {
        Accel::Kvm => return Ok(Choice::kvm("ACCEL=kvm")),
        Accel::Tcg => return Ok(Choice::tcg("ACCEL=tcg")),
        Accel::Icount => {
            return Ok(Choice {
                accel: Accel::Icount,
                why: "emulation (the clock counts instructions)".to_owned(),
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
    let arch = parts.kernel.arch();
    if let Some(name) = arch.make_name() {
        return Ok(Choice::tcg(format!("{name} on another host")));
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return Ok(Choice::tcg(format!("/dev/kvm: {error}")));
    }

    let known = answer_file(arch);
    // One process runs the probe, and the others wait for its result.
    let _turn = known.as_deref().and_then(turn);
    match known
        .as_ref()
        .and_then(|file| fs::read_to_string(file).ok())
        .as_deref()
    {
        Some("kvm") => return Ok(Choice::kvm("an earlier probe succeeded")),
        Some("tcg") => return Ok(Choice::tcg("an earlier probe of KVM failed")),
        _ => {}
    }

    eprintln!("Probing KVM ...");
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
        // If the result cannot be kept, the next run probes again.
        let _ = fs::write(file, if works { "kvm" } else { "tcg" });
    }
    Ok(if works {
        Choice::kvm("the probe succeeded")
    } else {
        Choice::tcg(format!(
            "/dev/kvm exists, but a guest with KVM did not boot in {} s",
            PATIENCE.as_secs()
        ))
    })
}

/// Acquires the lock of the probe, which is held while the returned file is open. [`None`] if the
/// file cannot be created, so that the result cannot be kept.
fn turn(answer: &Path) -> Option<File> {
    let dir = answer.parent()?;
    fs::create_dir_all(dir).ok()?;
    let lock = File::create(dir.join("lock")).ok()?;
    flock(&lock, FlockOperation::LockExclusive).ok()?;
    Some(lock)
}

/// Returns the file of the result, whose name contains the boot of the host and the version of
/// QEMU.
fn answer_file(arch: Arch) -> Option<PathBuf> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let version = arch.qemu_version()?;
    let name = format!("{}-qemu-{version}", boot.trim());
    let dir = |variable: &str| env::var_os(variable).map(PathBuf::from);
    let cache = dir("NSPROXY_CACHE")
        .or_else(|| Some(dir("XDG_CACHE_HOME")?.join("nsproxy_rs")))
        .or_else(|| Some(dir("HOME")?.join(".cache/nsproxy_rs")))?;
    Some(cache.join("kvm").join(name))
}
