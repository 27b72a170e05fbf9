// SPDX-License-Identifier: GPL-2.0-only

//! The kernel of a guest.

use crate::{arch::Arch, cli::GuestArgs};
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::PathBuf, time::Duration};

/// A kernel that was built.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The name that its results are filed under.
    pub(crate) name: String,
    /// The value of `KERNEL=` for `make`.
    pub(crate) make_name: String,
    /// Additional kernel parameters.
    pub(crate) append: String,
    dir: PathBuf,
    config: String,
}

impl Kernel {
    /// Reads the configuration of a kernel that was built.
    ///
    /// # Errors
    ///
    /// The kernel was not built.
    pub(crate) fn new(args: &GuestArgs) -> Result<Self> {
        let dir = &args.kernel_dir;
        let config = dir.join(".config");
        let kernel = Self {
            name: args.kernel_name.clone(),
            make_name: args
                .make_kernel
                .as_ref()
                .unwrap_or(&args.kernel_name)
                .clone(),
            append: args.append.clone(),
            dir: dir.clone(),
            config: fs::read_to_string(&config).with_context(|| {
                format!("{} is not the build directory of a kernel", dir.display())
            })?,
        };
        let image = kernel.image();
        ensure!(
            image.exists(),
            "{} is missing; hint: make {} modules",
            image.display(),
            kernel.arch().image().0
        );
        Ok(kernel)
    }

    /// Returns its architecture.
    pub(crate) fn arch(&self) -> Arch {
        if self.has("ARM64") {
            Arch::Arm64
        } else {
            Arch::X86
        }
    }

    /// Returns the image that QEMU boots. On x86, it is `vmlinux` if it exists and has an entry point
    /// for QEMU (PVH), else the compressed one, which is slow to decompress in emulation.
    pub(crate) fn image(&self) -> PathBuf {
        let uncompressed = self.dir.join("vmlinux");
        if self.has("PVH") && uncompressed.exists() {
            uncompressed
        } else {
            self.dir.join(self.arch().image().1)
        }
    }

    /// Returns whether it is for a machine with PCI.
    pub(crate) fn has_pci(&self) -> bool {
        self.has("VIRTIO_PCI") || !self.has(self.arch().virtio_without_pci())
    }

    /// Returns the list of its own modules for the guest, in the format of initramfs.list, if any.
    pub(crate) fn list(&self) -> Option<PathBuf> {
        let path = self.dir.join("initramfs.list");
        path.exists().then_some(path)
    }

    /// Returns the complete configuration.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// Returns its release, without `CONFIG_LOCALVERSION`, as in the first lines of the
    /// configuration.
    pub(crate) fn release(&self) -> Option<&str> {
        let mut lines = self.config.lines().take(4);
        let line = lines.find_map(|line| line.strip_suffix(" Kernel Configuration"))?;
        line.split_whitespace().last()
    }

    /// Returns the compiler that it was built with.
    pub(crate) fn compiler(&self) -> Option<&str> {
        let mut lines = self.config.lines();
        let text = lines.find_map(|line| line.strip_prefix("CONFIG_CC_VERSION_TEXT="))?;
        Some(text.trim_matches('"'))
    }

    /// Returns a kernel that was not built, for tests.
    #[cfg(test)]
    pub(crate) fn example(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            make_name: name.to_owned(),
            append: String::new(),
            dir: PathBuf::new(),
            config: "#\n# Linux/x86 7.3.4 Kernel Configuration\n#\n\
                     CONFIG_CC_VERSION_TEXT=\"clang version 19\"\n"
                .to_owned(),
        }
    }

    fn has(&self, option: &str) -> bool {
        let line = format!("CONFIG_{option}=y");
        self.config.lines().any(|other| other == line)
    }

    /// Returns whether it reports data races. Each one is a warning, but not each is the module's.
    pub(crate) fn reports_races(&self) -> bool {
        self.has("KCSAN")
    }

    /// Returns whether it patches its own code at run time, for switches that cost nothing
    /// otherwise.
    pub(crate) fn patches_itself(&self) -> bool {
        self.has("JUMP_LABEL")
    }

    /// Returns kernel parameters for emulation. They disable features of distribution kernels that
    /// are costly to emulate and do not change results: mitigations of hardware bugs, and clearing
    /// and randomization in allocations and system calls.
    pub(crate) fn fast_parameters(&self) -> &'static str {
        if self.has("CPU_MITIGATIONS") {
            "mitigations=off init_on_alloc=0 randomize_kstack_offset=0"
        } else {
            ""
        }
    }

    /// Returns the memory of a guest. Sanitizers need shadow memory.
    pub(crate) fn memory_mib(&self) -> u32 {
        if self.has("KASAN") { 2048 } else { 512 }
    }

    /// Returns how long a guest may show no progress. The limits inside of the guest are shorter,
    /// 240 s for a program or a command of a lab: they name what hangs, and the suite continues.
    pub(crate) fn silence(&self) -> Duration {
        self.timeout() / 2
    }

    /// Returns the time limit of a suite, for emulation on a busy host. Sanitizers are slow, and so is
    /// the emulation of another architecture.
    pub(crate) fn timeout(&self) -> Duration {
        let has_checks = self.has("KASAN") || self.has("KCSAN") || self.has("PROVE_LOCKING");
        let is_foreign = self.arch().make_name().is_some();
        Duration::from_secs(if has_checks || is_foreign { 1800 } else { 600 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_release_and_compiler() {
        let kernel = Kernel::example("lab");
        assert_eq!(kernel.release(), Some("7.3.4"));
        assert_eq!(kernel.compiler(), Some("clang version 19"));
    }
}
