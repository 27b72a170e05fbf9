// SPDX-License-Identifier: GPL-2.0-only

//! The file system of a guest. The kernel's `gen_init_cpio` creates it without root.

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

/// The initramfs of most guests, and a larger one for some.
pub(crate) struct Initramfs {
    common: PathBuf,
    /// The larger initramfs, and the suites that need it.
    extra: Option<(Vec<String>, PathBuf)>,
}

impl Initramfs {
    /// Returns the initramfs of a guest that runs `suite`.
    pub(crate) fn of_suite(&self, suite: &str) -> &Path {
        match &self.extra {
            Some((suites, path)) if suites.iter().any(|name| name == suite) => path,
            _ => &self.common,
        }
    }

    /// Returns the initramfs of a shell, which has the files of all suites.
    pub(crate) fn of_shell(&self) -> &Path {
        self.extra.as_ref().map_or(&self.common, |(_, path)| path)
    }
}

/// Writes the initramfs of `initramfs.list` and of the kernel's own list to `dir`, and another one
/// with the extra list.
pub(crate) fn make(kernel: &Kernel, args: &GuestArgs, dir: &Path) -> Result<Initramfs> {
    for file in [&args.module, &args.busybox] {
        ensure!(file.exists(), "{} is missing", file.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
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

/// Writes a list and its initramfs to the same directory. Each file is replaced as a whole, since
/// another runner may be about to boot it.
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
    // The program continues after a file that it cannot read.
    ensure!(
        output.status.success() && said.is_empty(),
        "cannot create the initramfs: {said}"
    );
    for (new, path) in [&list, &to].into_iter().zip(&paths) {
        fs::rename(new, path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let [_, made] = paths;
    Ok(made)
}
