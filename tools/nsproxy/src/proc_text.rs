// SPDX-License-Identifier: GPL-2.0-only

//! Formats files of `/proc` as values of one line. The snapshots of the tests use some of them, so that
//! `nsproxy diff` prints what the tests print.

/// Joins the words of each line by spaces, and the lines by commas.
pub fn one_line(text: &str) -> String {
    let mut one = String::with_capacity(text.len());
    for line in text.lines() {
        let mut between = if one.is_empty() { "" } else { ", " };
        for word in line.split_ascii_whitespace() {
            one.extend([between, word]);
            between = " ";
        }
    }
    one
}

/// Returns the sorted names of the network interfaces in `/proc/PID/net/dev`.
pub fn interfaces(devices: &str) -> String {
    let lines = devices.lines();
    let mut names: Vec<_> = lines
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    names.sort_unstable();
    names.join(" ")
}

/// Returns the offsets in `/proc/PID/timens_offsets`, such as `monotonic +10 s, boottime +0 s`. They
/// are those of the time namespace for the children of the process.
pub(crate) fn clock_offsets(offsets: &str) -> String {
    let offset = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (clock, seconds, nanoseconds) = (words.next()?, words.next()?, words.next()?);
        let seconds: i64 = seconds.parse().ok()?;
        let fraction = match nanoseconds {
            "0" => String::new(),
            digits => format!(" {digits} ns"),
        };
        Some(format!("{clock} {seconds:+} s{fraction}"))
    };
    offsets
        .lines()
        .filter_map(offset)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the mount on the root directory in `/proc/PID/mountinfo`: its type, its source, and its
/// directory in that filesystem. [`None`] in a chroot that is no mount.
pub(crate) fn root_mount(mountinfo: &str) -> Option<String> {
    let mount = |line: &str| {
        let (first, second) = line.split_once(" - ")?;
        let mut words = first.split(' ').skip(3);
        let (directory, place) = (words.next()?, words.next()?);
        let mut words = second.split(' ');
        let (kind, source) = (words.next()?, words.next()?);
        (place == "/").then(|| format!("{kind} {source} {directory}"))
    };
    // Of several mounts on top of each other, the last one is visible.
    mountinfo.lines().filter_map(mount).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined() {
        assert_eq!(
            one_line("  0  100 1\n  1 200 65536\n"),
            "0 100 1, 1 200 65536"
        );
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn names_of_interfaces_are_sorted() {
        let devices = "Inter-|   Receive\n face |bytes\n    lo: 0 0\n dummy0:12 0\n";
        assert_eq!(interfaces(devices), "dummy0 lo");
    }

    #[test]
    fn offsets_have_a_sign() {
        let offsets = "monotonic           1000         0\nboottime            -5  20000\n";
        assert_eq!(
            clock_offsets(offsets),
            "monotonic +1000 s, boottime -5 s 20000 ns"
        );
    }

    #[test]
    fn the_uppermost_mount_on_the_root_is_that_of_the_process() {
        let mountinfo = "\
1 1 0:2 / / rw - rootfs rootfs rw
21 1 0:20 /a / rw shared:1 - ext4 /dev/vda rw
22 21 0:21 / /proc rw - proc proc rw
";
        assert_eq!(root_mount(mountinfo).as_deref(), Some("ext4 /dev/vda /a"));
        assert_eq!(root_mount("22 21 0:21 / /proc rw - proc proc rw\n"), None);
    }
}
