// SPDX-License-Identifier: GPL-2.0-only

//! The file system of a guest.

use crate::{
    cli::{Extra, GuestArgs},
    cpio,
    kernel::Kernel,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process,
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
    for file in args.module.iter().chain([&args.busybox]) {
        ensure!(file.exists(), "{} is missing", file.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut entries = read(&args.qemu_dir.join("initramfs.list"))?;
    if args.module.is_some() {
        entries += "file /lib/nsproxy_rs.ko ${MODULE} 644 0 0\n";
    }
    if let Some(list) = kernel.list() {
        entries += &read(&list)?;
    }
    let common = generate(args, &entries, &dir.join("initramfs"))?;
    let extra = match &args.extra {
        None => None,
        Some(Extra { suites, list }) => {
            let entries = entries + &read(list)?;
            let path = generate(args, &entries, &dir.join("initramfs-extra"))?;
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
fn generate(args: &GuestArgs, entries: &str, at: &Path) -> Result<PathBuf> {
    let paths = ["list", "cpio"].map(|kind| at.with_extension(kind));
    let [list, to] = paths
        .each_ref()
        .map(|path| PathBuf::from(format!("{}.{}", path.display(), process::id())));
    fs::write(&list, entries).with_context(|| format!("cannot write {}", list.display()))?;
    let value = |name: &str| {
        let path = match name {
            "QEMU_DIR" => Some(&args.qemu_dir),
            "BIN_DIR" => Some(&args.bin_dir),
            "BUSYBOX" => Some(&args.busybox),
            "MODULE" => args.module.as_ref(),
            _ => return env::var(name).ok(),
        };
        path.map(|path| path.display().to_string())
    };
    let archive = File::create(&to).with_context(|| format!("cannot write {}", to.display()))?;
    cpio::write(entries, value, BufWriter::new(archive)).context("cannot create the initramfs")?;
    for (new, path) in [&list, &to].into_iter().zip(&paths) {
        fs::rename(new, path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let [_, made] = paths;
    Ok(made)
}
