// SPDX-License-Identifier: GPL-2.0-only

//! Data races that KCSAN reports: the module's, or the kernel's own.
//!
//! A kernel that nobody changed has races, which plain setns(2) meets as well; they are counted
//! and said, and no more. Nothing else that the kernel says is judged like this.

/// How the first line of a report begins.
pub(crate) const BEGINNING: &str = "BUG: KCSAN: ";
/// What follows the two stacks.
const END: &str = "Reported by Kernel Concurrency Sanitizer";
/// A report with one stack: the other side was not seen.
const UNKNOWN: &str = "race at unknown origin";

/// The module's name, as stacks have it: in its functions' names and in brackets behind them.
const MODULE: &str = "nsproxy_rs";
/// Names of the kernel's functions that read what the module writes. KCSAN does not see what Rust
/// writes, so that a race with it is of unknown origin, and the one stack is that of the reader.
const READERS: &[&str] = &["nsproxy", "nsset", "setns", "proc_ns_", "ns_get+"];

/// Whether the module has part in a race: `report` are the lines from the first one on.
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
    fn what_rust_writes_is_of_unknown_origin() {
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
        // Two known sides of the kernel's are the kernel's.
        assert!(!judge(&report("switch_task_namespaces", "utsns_get")));
    }
}
