// SPDX-License-Identifier: GPL-2.0-only

//! The guest's file system, made without root by the kernel's `gen_init_cpio`.

use crate::{cli::GuestArgs, kernel::Kernel};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// Writes the initramfs that `initramfs.list` describes, and returns where it is.
pub(crate) fn make(kernel: &Kernel, args: &GuestArgs, dir: &Path) -> Result<PathBuf> {
    for file in [&args.module, &args.busybox] {
        ensure!(file.exists(), "{} is missing", file.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join("initramfs.cpio");
    let output = Command::new(kernel.gen_init_cpio())
        .arg(args.qemu_dir.join("initramfs.list"))
        .env("QEMU_DIR", &args.qemu_dir)
        .env("BIN_DIR", &args.bin_dir)
        .env("BUSYBOX", &args.busybox)
        .env("MODULE", &args.module)
        .stdout(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?)
        .output()
        .context("cannot run gen_init_cpio")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // It goes on after a file that it could not read.
    ensure!(
        output.status.success() && said.is_empty(),
        "the initramfs could not be made: {said}"
    );
    Ok(path)
}
