// SPDX-License-Identifier: GPL-2.0-only

//! Data races that KCSAN reports: the module's, or the kernel's own.
//!
//! An unmodified kernel has races that plain setns(2) triggers as well. The runner counts and
//! prints them, but they are no failures. No other message of the kernel is exempt.

/// The prefix of the first line of a report.
pub(crate) const BEGINNING: &str = "BUG: KCSAN: ";
/// The line after the two stacks.
const END: &str = "Reported by Kernel Concurrency Sanitizer";
/// The text in a report with one stack: the other access was not observed.
const UNKNOWN: &str = "race at unknown origin";

/// The module's name in stacks: part of its functions' names, or in brackets after them.
const MODULE: &str = "nsproxy_rs";
/// Names of kernel functions that read data of the module. KCSAN does not instrument Rust, so a
/// race with a write in Rust has an unknown origin, and the only stack is the reader's.
const READERS: &[&str] = &["nsproxy", "nsset", "setns", "proc_ns_", "ns_get+"];

/// Returns whether a race involves the module. `report` begins at the first line of the report.
pub(crate) fn is_of_module<'a>(report: impl Iterator<Item = &'a str>) -> bool {
    let mut unknown = false;
    for line in report.take_while(|line| !line.contains(END)) {
        unknown |= line.contains(UNKNOWN);
        if line.contains(MODULE) || unknown && READERS.iter().any(|name| line.contains(name)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report as `kernel/kcsan/report.c` prints it, with these two functions on top.
    pub(crate) fn report(one: &str, other: &str) -> String {
        format!(
            "[    9.1] ==================================================================\n\
             [    9.1] BUG: KCSAN: data-race in {one} / {other}\n\
             [    9.1] \n\
             [    9.1] write to 0xffff888003a4f2c8 of 8 bytes by task 71 on cpu 1:\n\
             [    9.1]  {one}+0x5b/0x90\n\
             [    9.1]  do_exit+0x3a1/0x9c0\n\
             [    9.1] \n\
             [    9.1] read to 0xffff888003a4f2c8 of 8 bytes by task 68 on cpu 0:\n\
             [    9.1]  {other}+0x1b/0x40\n\
             [    9.1]  do_syscall_64+0x8d/0x300\n\
             [    9.1] \n\
             [    9.1] Reported by Kernel Concurrency Sanitizer on:\n\
             [    9.1] CPU: 0 UID: 0 PID: 68 Comm: nsproxy_rs Not tainted 7.3.4 #1\n\
             [    9.1] ==================================================================\n"
        )
    }

    fn judge(report: &str) -> bool {
        is_of_module(report.lines().skip(1))
    }

    #[test]
    fn one_stack_of_the_module_is_enough() {
        assert!(!judge(&report("exit_mm", "do_task_stat")));
        assert!(judge(&report("exit_mm", "nsproxy_rs_nsproxy_dec")));
        assert!(judge(&report(
            "_RNvMs_NtCs_10nsproxy_rs6caller",
            "utsns_get"
        )));
        let inside = report("refcount_inc", "exit_mm").replace("0x90", "0x90 [nsproxy_rs]");
        assert!(judge(&inside));
    }

    #[test]
    fn a_write_in_rust_has_an_unknown_origin() {
        let of = |reader| {
            format!(
                "BUG: KCSAN: data-race in {reader}+0x41/0x80\n\n\
                 race at unknown origin, with read to 0xffff888003a4f2c8 of 8 bytes by task 7 \
                 on cpu 0:\n {reader}+0x41/0x80\n vfs_readlink+0x8d/0x300\n\n\
                 Reported by Kernel Concurrency Sanitizer on:\n"
            )
        };
        assert!(is_of_module(of("utsns_get").lines()));
        assert!(is_of_module(of("proc_ns_get_link").lines()));
        assert!(!is_of_module(of("__alloc_pages").lines()));
        // With two known stacks of the kernel, the race is the kernel's.
        assert!(!judge(&report("switch_task_namespaces", "utsns_get")));
    }
}
