// SPDX-License-Identifier: GPL-2.0-only

//! What is known of a call that failed, besides its errno.

use crate::plan::Call;
use nsproxy_uapi::Kind;
use std::{
    fs,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::Path,
};

/// What can be seen from here of a call that failed, to tell its reasons apart.
pub(crate) struct Seen {
    /// What the descriptor is a link to in `/proc/self/fd`, as `uts:[4026531838]`.
    pub(crate) link: Option<String>,
    /// The kernel has none of one of the kinds.
    pub(crate) lacks_kind: bool,
    /// We are under a seccomp filter.
    pub(crate) filtered: bool,
}

impl Seen {
    /// Looks at `file`, with which `call` was made.
    pub(crate) fn look(call: &Call, file: BorrowedFd<'_>) -> Self {
        let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let ours = Path::new("/proc/self/ns");
        Self {
            link: link
                .ok()
                .and_then(|link| link.into_os_string().into_string().ok()),
            lacks_kind: ours.exists()
                && call
                    .kinds
                    .iter()
                    .any(|kind| !ours.join(kind.name()).exists()),
            filtered: fs::read_to_string("/proc/self/status")
                .is_ok_and(|status| has_filter(&status)),
        }
    }

    /// Is `call` with a file of something else than its one kind? [`None`] if that is unknown.
    pub(crate) fn is_wrong_file(&self, call: &Call) -> Option<bool> {
        let link = self.link.as_ref()?;
        let right = |kind: &Kind| link.starts_with(&format!("{}:[", kind.name()));
        Some(!call.kinds.iter().any(right))
    }
}

/// Does `status`, a `/proc/PID/status`, speak of a seccomp filter? 2 is `SECCOMP_MODE_FILTER`.
fn has_filter(status: &str) -> bool {
    status
        .lines()
        .filter_map(|line| line.strip_prefix("Seccomp:"))
        .any(|mode| mode.trim() == "2")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Source;
    use std::{fs::File, os::fd::AsFd as _};

    #[test]
    fn a_call_with_our_own_namespace() {
        let path = "/proc/self/ns/uts";
        let call = Call {
            source: Source::File(path.into()),
            kinds: vec![Kind::Uts],
        };
        let seen = Seen::look(&call, File::open(path).unwrap().as_fd());
        assert_eq!(seen.is_wrong_file(&call), Some(false));
        assert!(!seen.lacks_kind);
    }

    #[test]
    fn filters_are_seen() {
        let status = |mode| format!("NoNewPrivs:\t1\nSeccomp:\t{mode}\nSeccomp_filters:\t2\n");
        assert!(has_filter(&status(2)));
        assert!(!has_filter(&status(0)));
        assert!(!has_filter(""));
    }
}
