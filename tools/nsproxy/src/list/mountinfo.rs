// SPDX-License-Identifier: GPL-2.0-only

//! Parses `/proc/PID/mountinfo`, as far as it is about namespaces: proc_pid_mountinfo(5).

use super::identity::Identity;
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

/// A bind mount of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NsMount {
    /// The id of the mount. No two mounts have the same one, also in different mount namespaces.
    pub(super) mount_id: u64,
    pub(super) namespace: Identity,
    pub(super) path: PathBuf,
}

/// Returns the bind mounts of namespaces: the mounts of type `nsfs`.
pub(super) fn parse(mountinfo: &[u8]) -> impl Iterator<Item = NsMount> {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(parse_line)
}

fn parse_line(line: &[u8]) -> Option<NsMount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mount_id = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    // The parent, and major:minor
    let root = fields.by_ref().nth(2)?;
    let path = fields.next()?;
    // After the mount options there are any number of optional fields, and a hyphen ends them.
    fields.by_ref().find(|field| *field == b"-")?;
    if fields.next()? != b"nsfs" {
        return None;
    }
    Some(NsMount {
        mount_id,
        namespace: Identity::parse(OsStr::from_bytes(root))?,
        path: unescape(path).into(),
    })
}

/// Replaces escapes like `\040`, which the kernel writes for space, tab, newline and backslash.
fn unescape(text: &[u8]) -> OsString {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| byte == b'\\');
        let octal = octal.and_then(|octal| str::from_utf8(octal).ok());
        match octal.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Kind;

    const MOUNTINFO: &str = "\
22 28 0:21 / /proc rw,nosuid,nodev shared:12 - proc proc rw
301 24 0:4 net:[4026532170] /run/netns/blue rw shared:5 master:1 - nsfs nsfs rw
302 24 0:4 uts:[4026532171] /run/a\\040b\\134c rw - nsfs nsfs rw
303 24 0:4 pid_for_children:[1] /x rw - nsfs nsfs rw
304 24 8:1 /net:[4026532172] /run/y rw - ext4 /dev/sda1 rw
305 24 0:4 net:[4026532173]
";

    #[test]
    fn mounts_of_nsfs_are_found() {
        let mounts: Vec<_> = parse(MOUNTINFO.as_bytes()).collect();
        let mount = |mount_id, kind, inode, path: &str| NsMount {
            mount_id,
            namespace: Identity { kind, inode },
            path: path.into(),
        };
        let expected = [
            mount(301, Kind::Net, 4_026_532_170, "/run/netns/blue"),
            mount(302, Kind::Uts, 4_026_532_171, "/run/a b\\c"),
        ];
        assert_eq!(mounts, expected);
    }

    #[test]
    fn other_backslashes_stay() {
        for text in ["\\", "\\04", "\\9", "a\\xyz", "\\777"] {
            assert_eq!(unescape(text.as_bytes()), text);
        }
        assert_eq!(unescape(b"\\012"), "\n");
    }
}
