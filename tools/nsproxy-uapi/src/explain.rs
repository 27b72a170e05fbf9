// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: the mode of a call, and its refusal.

use crate::{Kind, Reason, sys};
use rustix::io::Errno;

/// The mode of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// The call ends before the point of no return, and changes nothing.
    pub dry_run: bool,
    /// The call takes the path of 2011.
    pub as_of_2011: bool,
}

impl Explain {
    /// Returns the mode of a dry run.
    pub const fn dry_run(as_of_2011: bool) -> Self {
        Self {
            dry_run: true,
            as_of_2011,
        }
    }

    /// Returns the flags of the ioctl: `NSPROXY_EXPLAIN_*`.
    pub(crate) fn flags(self) -> u32 {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        flag(self.dry_run, sys::NSPROXY_EXPLAIN_DRY_RUN)
            | flag(self.as_of_2011, sys::NSPROXY_EXPLAIN_2011)
    }
}

/// A limit of the number of namespaces of a kind: `/proc/sys/user/max_*_namespaces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit; [`None`] if the caller may not know it.
    pub max: Option<u32>,
    /// The id of the user namespace whose limit it is; 0 if the caller may not know it.
    pub user_ns: u64,
    /// The number of levels of that user namespace above the one in which the new namespace is
    /// counted first.
    pub levels: u32,
}

/// The refusal of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The errno of the call.
    pub errno: Errno,
    /// The check that refused.
    pub reason: Reason,
    /// The missing capability, as `CAP_*`, and the id of the user namespace in which it is missing;
    /// id 0 if the caller may not know it.
    pub cap: Option<(u32, u64)>,
    /// The number of tasks that share what may not be shared, including the caller; 0 for other
    /// reasons.
    pub count: u32,
    /// The kind and id of the namespace that the check was about, if any.
    pub namespace: Option<(Kind, u64)>,
    /// The limit that is reached, for [`Reason::Limit`].
    pub limit: Option<Limit>,
}

impl Refusal {
    /// Converts the result of the ioctl; [`None`] if the call succeeds.
    ///
    /// # Errors
    ///
    /// `EPROTO` for values that this library does not know.
    pub(crate) fn of(args: &sys::nsproxy_explain) -> Result<Option<Self>, Errno> {
        if args.error == 0 {
            return Ok(None);
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.flag() == args.kind);
        let reason = Reason::of(args.reason).ok_or(Errno::PROTO)?;
        let limit = Limit {
            max: (args.limit != sys::NSPROXY_LIMIT_UNKNOWN).then_some(args.limit),
            user_ns: args.user_ns_id,
            levels: args.levels,
        };
        Ok(Some(Self {
            errno: Errno::from_raw_os_error(args.error.try_into().map_err(|_| Errno::PROTO)?),
            reason,
            // 0 is CAP_CHOWN, which no check of the path requires.
            cap: (args.cap != 0).then_some((args.cap, args.user_ns_id)),
            count: args.count,
            namespace: kind.map(|kind| (kind, args.ns_id)),
            limit: (reason == Reason::Limit).then_some(limit),
        }))
    }
}
