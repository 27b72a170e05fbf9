// SPDX-License-Identifier: GPL-2.0-only

//! What is kept of a call on its way: nothing, or why it was refused.

use crate::{
    reason::{Reason, Refused},
    sys::namespace::Ns,
};
use kernel::prelude::*;

/// Goes with a call, and is told what it meets.
///
/// The path is written once, for all of them: the plain call has the one that keeps nothing, `()`,
/// and with it everything about recording is gone when it is compiled.
pub(crate) trait Record {
    /// Whether the call ends before the point of no return, and changes nothing.
    fn is_dry_run(&self) -> bool {
        false
    }

    /// A check of ours refuses, about `ns` if about one. Returns its errno.
    fn refuse(&mut self, reason: Reason, _ns: Option<&Ns>) -> Error {
        reason.errno().unwrap_or(EINVAL)
    }

    /// The kernel's `install()` refused.
    fn refuse_install(&mut self, _refused: &Refused<'_>) {}
}

impl Record for () {}
