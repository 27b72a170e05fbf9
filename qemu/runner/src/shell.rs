// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy-vm shell`.

use crate::{
    accel,
    cli::GuestArgs,
    guest, initramfs,
    kernel::Kernel,
    qemu::{self, Consoles},
};
use anyhow::{Context as _, Result};
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::{env, io, process::ExitCode};

pub(crate) fn main(args: &GuestArgs) -> Result<ExitCode> {
    let kernel = Kernel::new(&args.kernel_name, &args.kernel_dir)?;
    let results = args.results.join(&kernel.name);
    let initramfs = initramfs::make(&kernel, args, &results)?;
    let choice = accel::choose(args.accel, &kernel, &initramfs, &results)?;

    let stdin = io::stdin();
    let before = isatty(&stdin).then(|| tcgetattr(&stdin)).transpose()?;
    let mut parameters = String::new();
    if let Ok(size) = tcgetwinsize(&stdin)
        && size.ws_col > 0
    {
        parameters += &format!(
            "nsproxy.columns={} nsproxy.rows={} ",
            size.ws_col, size.ws_row
        );
    }
    if let Ok(term) = env::var("TERM") {
        parameters += &format!("nsproxy.term={term}");
    }

    let logs = results.join("shell");
    std::fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let consoles = Consoles::Terminal(&logs);
    let arguments = qemu::arguments(&kernel, &initramfs, choice.accel, &parameters, &consoles);
    eprintln!(
        "Kernel {}, {}; its messages: {}",
        kernel.name,
        choice.why,
        logs.display()
    );
    let status = guest::start(&arguments, |_| ())?.wait()?;

    // QEMU does that itself, unless it was killed.
    if let Some(before) = before {
        tcsetattr(&stdin, OptionalActions::Now, &before)?;
    }
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
