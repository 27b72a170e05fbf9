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
    /// `NSPROXY_EXPLAIN_*`.
    pub fn flags(self) -> u32 {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        flag(self.dry_run, sys::NSPROXY_EXPLAIN_DRY_RUN)
            | flag(self.as_of_2011, sys::NSPROXY_EXPLAIN_2011)
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// It succeeds.
    Succeeds,
    /// A check refuses it.
    Refused {
        /// What setns(2) returns.
        errno: Errno,
        /// Which check.
        reason: Reason,
        /// What the caller lacks for it: `CAP_*`, and the id of the user namespace in which.
        cap: Option<(u32, u64)>,
        /// How many share what may not be shared, the caller among them; 0 if it is not that.
        count: u32,
        /// The namespace that it was about, if about one: its kind and its id.
        namespace: Option<(Kind, u64)>,
    },
}

impl Explained {
    /// # Errors
    ///
    /// `EPROTO` for what this library does not know.
    pub(crate) fn of(args: &sys::nsproxy_explain) -> Result<Self, Errno> {
        if args.error == 0 {
            return Ok(Self::Succeeds);
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.flag() == args.kind);
        Ok(Self::Refused {
            errno: Errno::from_raw_os_error(args.error.try_into().map_err(|_| Errno::PROTO)?),
            reason: Reason::of(args.reason).ok_or(Errno::PROTO)?,
            // CAP_CHOWN is 0, and nobody asks for that one.
            cap: (args.cap != 0).then_some((args.cap, args.user_ns_id)),
            count: args.count,
            namespace: kind.map(|kind| (kind, args.ns_id)),
        })
    }

    /// What the call returns.
    pub fn outcome(self) -> Result<(), Errno> {
        match self {
            Self::Succeeds => Ok(()),
            Self::Refused { errno, .. } => Err(errno),
        }
    }
}
