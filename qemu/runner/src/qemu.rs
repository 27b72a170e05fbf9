// SPDX-License-Identifier: GPL-2.0-only

//! QEMU's command line.

use crate::{arch::Arch, cli::Accel, kernel::Kernel};
use std::{
    ffi::OsString,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::Path,
};

/// The name of the port through which a guest sends its verdict.
const VERDICT_PORT: &str = "org.nsproxy-rs.verdict";

/// The name of the port through which a guest requests traces of calls, see `profile`.
pub(crate) const TRACER_PORT: &str = "org.nsproxy-rs.tracer";

/// The name of the port through which the host sends the size of its terminal.
const SIZE_PORT: &str = "org.nsproxy-rs.size";

/// The name of the port through which a guest saves files on the host.
const HOST_PORT: &str = "org.nsproxy-rs.host";

/// Kernel parameters of every guest. Any fault ends the guest at once. Slab caches are not merged,
/// so that suites can count objects. When the guest reboots, QEMU exits, with `-no-reboot`.
const PARAMETERS: &str =
    "loglevel=7 panic=-1 oops=panic softlockup_panic=1 hung_task_panic=1 slab_nomerge";

/// The host's end of the guest's two consoles.
pub(crate) enum Consoles<'a> {
    /// Files: the kernel's messages, the output of the suite, its verdict.
    Files(&'a Path),
    /// Standard input and output for a shell, and a file for the kernel's messages. QEMU inherits
    /// two sockets: for the size of the terminal, and for files that the guest saves.
    Terminal {
        logs: &'a Path,
        size: BorrowedFd<'a>,
        host: BorrowedFd<'a>,
    },
}

/// The file of the kernel's messages, in the directory of a run.
pub(crate) const CONSOLE: &str = "console.log";
/// The file of the suite's output.
pub(crate) const OUTPUT: &str = "output.log";
/// The file of the verdict.
pub(crate) const VERDICT: &str = "verdict";

/// Returns the arguments for a guest that boots `kernel`, with additional kernel `parameters`.
pub(crate) fn arguments(
    kernel: &Kernel,
    initramfs: &Path,
    accel: Accel,
    cpus: u32,
    parameters: &str,
    consoles: &Consoles<'_>,
) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| args.extend(words.iter().map(OsString::from));

    add(&[
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
    ]);
    let arch = kernel.arch();
    let (machine, bus) = arch.machine(kernel.has_pci());
    add(&["-machine", machine, "-smp", &cpus.to_string()]);
    let is_single_threaded = is_single_threaded(kernel, accel);
    add(&["-cpu", arch.cpu(accel, is_single_threaded)]);
    add(&["-m", &kernel.memory_mib().to_string()]);
    match accel {
        Accel::Kvm => add(&["-accel", "kvm"]),
        Accel::Tcg | Accel::Auto if is_single_threaded => {
            add(&["-accel", "tcg,thread=single"]);
        }
        Accel::Tcg | Accel::Auto | Accel::Parallel => add(&["-accel", "tcg,thread=multi"]),
        // An instruction takes a nanosecond. When all CPUs are idle, the clock jumps to the next
        // timer.
        Accel::Icount => add(&["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
    }
    add(&["-device", &format!("virtio-serial-{bus}")]);

    let file = |id: &str, dir: &Path, name: &str| {
        format!(
            "file,id={id},path={}",
            escape(&dir.join(name).display().to_string())
        )
    };
    let dir = match consoles {
        Consoles::Files(dir) | Consoles::Terminal { logs: dir, .. } => dir,
    };
    add(&["-chardev", &file("console", dir, CONSOLE)]);
    add(&["-serial", "chardev:console"]);
    match consoles {
        Consoles::Files(dir) => {
            add(&["-chardev", &file("output", dir, OUTPUT)]);
            add(&["-device", "virtconsole,chardev=output"]);
            add(&["-chardev", &file("verdict", dir, VERDICT)]);
            let port = format!("virtserialport,chardev=verdict,name={VERDICT_PORT}");
            add(&["-device", &port]);
        }
        Consoles::Terminal { size, host, .. } => {
            add(&["-chardev", "stdio,id=terminal,signal=off"]);
            add(&["-device", "virtconsole,chardev=terminal"]);
            for (id, socket, name) in [("size", size, SIZE_PORT), ("host", host, HOST_PORT)] {
                let socket = format!("socket,id={id},fd={}", socket.as_raw_fd());
                add(&["-chardev", &socket]);
                add(&[
                    "-device",
                    &format!("virtserialport,chardev={id},name={name}"),
                ]);
            }
        }
    }

    // The kernel counts a report of KCSAN as a warning. The runner judges reports by the console.
    let on_warn = u32::from(!kernel.reports_races());
    let on_warn = format!("panic_on_warn={on_warn}");
    let clock = arch.clock_parameters(accel);
    let fast = match accel {
        Accel::Kvm => "",
        _ => kernel.fast_parameters(),
    };
    let words = [
        arch.parameters(),
        PARAMETERS,
        &on_warn,
        &clock,
        fast,
        parameters,
        &kernel.append,
    ];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    add(&["-append", &words.join(" ")]);
    args.extend(["-kernel".into(), kernel.image().into_os_string()]);
    args.extend(["-initrd".into(), initramfs.into()]);
    args
}

/// Returns whether one thread emulates all CPUs of a guest: if QEMU may otherwise run stale code of a
/// kernel that patches itself.
pub(crate) fn is_single_threaded(kernel: &Kernel, accel: Accel) -> bool {
    matches!(accel, Accel::Tcg | Accel::Auto)
        && kernel.patches_itself()
        && kernel.arch().runs_stale_code()
}

/// Escapes a value in QEMU's options, where a comma separates values.
fn escape(path: &str) -> String {
    path.replace(',', ",,")
}

/// Formats the command for a shell.
pub(crate) fn as_shell(arch: Arch, arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments
        .iter()
        .map(|word| quote(&word.to_string_lossy()))
        .collect();
    format!("{} {}\n", arch.qemu(), words.join(" "))
}

/// Quotes a word for a shell, if necessary.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_words_are_quoted() {
        let words = ["-append".into(), "a b='c'".into(), "".into()];
        let expected = "qemu-system-aarch64 -append 'a b='\\''c'\\''' ''\n";
        assert_eq!(as_shell(Arch::Arm64, &words), expected);
    }

    #[test]
    fn commas_in_paths() {
        assert_eq!(escape("/a,b"), "/a,,b");
    }
}
