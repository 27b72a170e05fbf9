// SPDX-License-Identifier: GPL-2.0-only

//! The parts of a guest that depend on its architecture.

use crate::{cli::Accel, clock};
use std::{env, process::Command, sync::LazyLock};

/// An architecture for which the module builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    X86,
    Arm64,
}

impl Arch {
    /// All architectures.
    pub(crate) const ALL: [Self; 2] = [Self::X86, Self::Arm64];

    /// Returns its name in reports for KernelCI.
    pub(crate) const fn kernelci_name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Returns its name in `ARCH=`. [`None`] for that of this host, which is the default, and whose
    /// guests may use KVM.
    pub(crate) fn make_name(self) -> Option<&'static str> {
        let (name, host) = match self {
            Self::X86 => ("x86", "x86_64"),
            Self::Arm64 => ("arm64", "aarch64"),
        };
        (env::consts::ARCH != host).then_some(name)
    }

    /// Returns the program that emulates it.
    pub(crate) const fn qemu(self) -> &'static str {
        match self {
            Self::X86 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// Returns Debian's package of that program.
    pub(crate) const fn qemu_package(self) -> &'static str {
        match self {
            Self::X86 => "qemu-system-x86",
            Self::Arm64 => "qemu-system-arm",
        }
    }

    /// Returns the version of QEMU, or [`None`] if it cannot run.
    pub(crate) fn qemu_version(self) -> Option<String> {
        let output = Command::new(self.qemu()).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().nth(3).map(str::to_owned)
    }

    /// Returns the image of a kernel, as a target of its makefile and as a path in its build
    /// directory.
    pub(crate) const fn image(self) -> (&'static str, &'static str) {
        match self {
            Self::X86 => ("bzImage", "arch/x86/boot/bzImage"),
            Self::Arm64 => ("Image", "arch/arm64/boot/Image"),
        }
    }

    /// Returns the option of a kernel that finds virtio devices without PCI: on x86 by the command
    /// line, on arm64 by the device tree.
    pub(crate) const fn virtio_without_pci(self) -> &'static str {
        match self {
            Self::X86 => "VIRTIO_MMIO_CMDLINE_DEVICES",
            Self::Arm64 => "VIRTIO_MMIO",
        }
    }

    /// Returns the machine of a guest, and the suffix of virtio devices on its bus.
    pub(crate) const fn machine(self, has_pci: bool) -> (&'static str, &'static str) {
        match (self, has_pci) {
            (Self::X86, true) => ("q35,i8042=off", "pci"),
            // Without tables of the firmware and a bus scan, a boot takes a sixth less.
            (Self::X86, false) => ("microvm,acpi=off", "device"),
            (Self::Arm64, true) => ("virt,gic-version=max", "pci"),
            (Self::Arm64, false) => ("virt,gic-version=max", "device"),
        }
    }

    /// Returns the CPU of a guest.
    pub(crate) const fn cpu(self, accel: Accel, is_single_threaded: bool) -> &'static str {
        match self {
            // Four levels of page tables: with five, KASAN reports a wild access to the direct map
            // if an interrupt arrives while identify_cpu() has reset the features of the boot CPU.
            Self::X86 => match accel {
                // Each byte that `rep movsb` copies counts as an instruction, unlike on real CPUs.
                // Without these features the kernel copies by words.
                Accel::Icount => "max,la57=off,erms=off,fsrm=off",
                // STAC and CLAC at each access to user memory are costly to emulate.
                _ if is_single_threaded => "max,la57=off,smap=off,smep=off",
                _ => "max,la57=off",
            },
            // The architecture's algorithm to sign pointers is costly to emulate.
            Self::Arm64 => match accel {
                Accel::Kvm => "host",
                // With a rate of 1 GHz, the counter counts instructions.
                Accel::Icount => "max,pauth-impdef=on,cntfrq=1000000000",
                _ => "max,pauth-impdef=on",
            },
        }
    }

    /// Returns the kernel parameters of all guests. A machine without ACPI reboots by a triple
    /// fault on x86, and by a call of the firmware, which is QEMU, on arm64.
    pub(crate) const fn parameters(self) -> &'static str {
        match self {
            Self::X86 => "console=ttyS0 reboot=t no_timer_check",
            Self::Arm64 => "console=ttyAMA0",
        }
    }

    /// Returns the kernel parameters for the clock of a guest. On arm64 the clock has a register with
    /// its rate.
    pub(crate) fn clock_parameters(self, accel: Accel) -> String {
        match self {
            Self::X86 => clock::tsc_parameters(accel),
            Self::Arm64 => String::new(),
        }
    }

    /// Returns whether QEMU may run stale code of a kernel that patches itself, if each CPU has its
    /// own thread. On x86 a CPU may also trap at a breakpoint that has already been removed.
    pub(crate) fn runs_stale_code(self) -> bool {
        /// The first version that was seen to run the suite serve without such failures.
        const FIXED: u32 = 10;
        static VERSION: LazyLock<Option<u32>> = LazyLock::new(|| {
            let version = Arch::Arm64.qemu_version()?;
            version.split('.').next()?.parse().ok()
        });
        match self {
            Self::X86 => true,
            Self::Arm64 => VERSION.is_none_or(|version| version < FIXED),
        }
    }

    /// Returns the kernel's function of a system call.
    pub(crate) fn system_call(self, name: &str) -> String {
        match self {
            Self::X86 => format!("__x64_sys_{name}"),
            Self::Arm64 => format!("__arm64_sys_{name}"),
        }
    }
}
