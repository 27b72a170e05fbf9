// SPDX-License-Identifier: GPL-2.0-only

//! The guest's file system, made without root by the kernel's `gen_init_cpio`.

use crate::{
    cli::{Extra, GuestArgs},
    kernel::Kernel,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{self, Command},
};

/// What guests boot with: most of them the same, and a few more than that.
pub(crate) struct Initramfs {
    common: PathBuf,
    /// Some suites, and what they have instead.
    extra: Option<(Vec<String>, PathBuf)>,
}

impl Initramfs {
    /// For a guest that runs `suite`.
    pub(crate) fn of_suite(&self, suite: &str) -> &Path {
        match &self.extra {
            Some((suites, path)) if suites.iter().any(|name| name == suite) => path,
            _ => &self.common,
        }
    }

    /// For a guest in which a person can do what any suite does.
    pub(crate) fn of_shell(&self) -> &Path {
        self.extra.as_ref().map_or(&self.common, |(_, path)| path)
    }
}

/// Writes what `initramfs.list` describes to `dir`, with what the kernel's own list does, and both
/// once more with what an extra list does.
pub(crate) fn make(kernel: &Kernel, args: &GuestArgs, dir: &Path) -> Result<Initramfs> {
    for file in [&args.module, &args.busybox] {
        ensure!(file.exists(), "{} is missing", file.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut entries = read(&args.qemu_dir.join("initramfs.list"))?;
    if let Some(list) = kernel.list() {
        entries += &read(&list)?;
    }
    let common = generate(kernel, args, &entries, &dir.join("initramfs"))?;
    let extra = match &args.extra {
        None => None,
        Some(Extra { suites, list }) => {
            let entries = entries + &read(list)?;
            let path = generate(kernel, args, &entries, &dir.join("initramfs-extra"))?;
            Some((suites.clone(), path))
        }
    };
    Ok(Initramfs { common, extra })
}

fn read(list: &Path) -> Result<String> {
    fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))
}

/// Writes the list and what it describes, beside each other. Both are there whole or not at all:
/// another runner may be about to boot what it wrote there.
fn generate(kernel: &Kernel, args: &GuestArgs, entries: &str, at: &Path) -> Result<PathBuf> {
    let paths = ["list", "cpio"].map(|kind| at.with_extension(kind));
    let [list, to] = paths
        .each_ref()
        .map(|path| PathBuf::from(format!("{}.{}", path.display(), process::id())));
    fs::write(&list, entries).with_context(|| format!("cannot write {}", list.display()))?;
    let output = Command::new(kernel.gen_init_cpio())
        .arg(&list)
        .env("QEMU_DIR", &args.qemu_dir)
        .env("BIN_DIR", &args.bin_dir)
        .env("BUSYBOX", &args.busybox)
        .env("MODULE", &args.module)
        .stdout(File::create(&to).with_context(|| format!("cannot write {}", to.display()))?)
        .output()
        .context("cannot run gen_init_cpio")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // It goes on after a file that it could not read.
    ensure!(
        output.status.success() && said.is_empty(),
        "the initramfs could not be made: {said}"
    );
    for (new, path) in [&list, &to].into_iter().zip(&paths) {
        fs::rename(new, path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let [_, made] = paths;
    Ok(made)
}
