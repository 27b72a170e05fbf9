// SPDX-License-Identifier: GPL-2.0-only

//! `NSPROXY_EXPLAIN`: a call, and which check decided.

use crate::{
    reason::{diagnose, Finding, Reason, Refused},
    record::Record,
    setns, setns_2011,
    sys::{
        caller::Caller,
        namespace::Ns,
        uapi::{nsproxy_explain, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_DRY_RUN},
    },
};
use kernel::prelude::*;

/// Makes the call that `args` ask for, and fills in what came of it.
///
/// # Errors
///
/// [`EINVAL`] for flags that are none. That the call is refused is no error here.
pub(crate) fn explain(caller: &mut Caller<'_>, args: &mut nsproxy_explain) -> Result {
    if args.flags & !(NSPROXY_EXPLAIN_DRY_RUN | NSPROXY_EXPLAIN_2011) != 0 {
        return Err(EINVAL);
    }
    *args = nsproxy_explain {
        fd: args.fd,
        nstype: args.nstype,
        flags: args.flags,
        error: 0,
        reason: 0,
        kind: 0,
        cap: 0,
        count: 0,
        ns_id: 0,
        user_ns_id: 0,
    };
    let (fd, nstype) = (args.fd, args.nstype as u32);
    let result = if args.flags & NSPROXY_EXPLAIN_2011 != 0 {
        setns_2011::setns(caller, fd, nstype, &mut Verdict(args))
    } else {
        setns::setns(caller, fd, nstype, &mut Verdict(args)).map(|_| ())
    };
    args.error = result.map_or_else(|error| error.to_errno().unsigned_abs(), |()| 0);
    Ok(())
}

/// Keeps the verdict.
struct Verdict<'a>(&'a mut nsproxy_explain);

impl Verdict<'_> {
    fn keep(&mut self, finding: Finding, ns: Option<&Ns>) {
        let to = &mut *self.0;
        to.reason = finding.reason as u32;
        to.count = finding.count;
        if let Some((cap, user_ns_id)) = finding.cap {
            to.cap = cap;
            to.user_ns_id = user_ns_id;
        }
        if let Some(ns) = ns {
            to.kind = ns.ns_type();
            to.ns_id = ns.id();
        }
    }
}

impl Record for Verdict<'_> {
    fn is_dry_run(&self) -> bool {
        self.0.flags & NSPROXY_EXPLAIN_DRY_RUN != 0
    }

    fn refuse(&mut self, reason: Reason, ns: Option<&Ns>) -> Error {
        self.keep(reason.into(), ns);
        ().refuse(reason, ns)
    }

    fn refuse_install(&mut self, refused: &Refused<'_>) {
        self.keep(diagnose(refused), Some(refused.ns));
    }
}
