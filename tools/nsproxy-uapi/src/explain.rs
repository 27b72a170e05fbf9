// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: how a call is to be made, and what came of it.

use crate::{Kind, Reason, sys};
use rustix::io::Errno;

/// How the call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// It ends before the point of no return, and changes nothing.
    pub dry_run: bool,
    /// The path of 2011.
    pub as_of_2011: bool,
}

impl Explain {
    /// Says what would come of the call.
    pub const fn dry_run(as_of_2011: bool) -> Self {
        Self {
            dry_run: true,
            as_of_2011,
        }
    }

    /// `NSPROXY_EXPLAIN_*`.
    pub(crate) fn flags(self) -> u32 {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        flag(self.dry_run, sys::NSPROXY_EXPLAIN_DRY_RUN)
            | flag(self.as_of_2011, sys::NSPROXY_EXPLAIN_2011)
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What setns(2) returns.
    pub errno: Errno,
    /// Which check it was.
    pub reason: Reason,
    /// The missing capability, as `CAP_*`, and the id of the user namespace in which it is missing;
    /// id 0 if the caller may not know it.
    pub cap: Option<(u32, u64)>,
    /// How many share what may not be shared, the caller among them; 0 if it is not that.
    pub count: u32,
    /// The namespace that it was about, if about one: its kind and its id.
    pub namespace: Option<(Kind, u64)>,
}

impl Refusal {
    /// What the module filled in; [`None`] if the call succeeds.
    ///
    /// # Errors
    ///
    /// `EPROTO` for what this library does not know.
    pub(crate) fn of(args: &sys::nsproxy_explain) -> Result<Option<Self>, Errno> {
        if args.error == 0 {
            return Ok(None);
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.flag() == args.kind);
        Ok(Some(Self {
            errno: Errno::from_raw_os_error(args.error.try_into().map_err(|_| Errno::PROTO)?),
            reason: Reason::of(args.reason).ok_or(Errno::PROTO)?,
            // CAP_CHOWN is 0, and nobody asks for that one.
            cap: (args.cap != 0).then_some((args.cap, args.user_ns_id)),
            count: args.count,
            namespace: kind.map(|kind| (kind, args.ns_id)),
        }))
    }
}
