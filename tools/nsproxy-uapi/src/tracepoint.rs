// SPDX-License-Identifier: GPL-2.0-only

//! Lines of the tracepoint `nsproxy_rs:nsproxy_rs_refused`, as tracefs prints them.

use crate::{Kind, Reason, Refusal, sys};

/// A refusal of a call, by any entry of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedRefusal {
    /// The number of the calling task in the initial pid namespace.
    pub task: u32,
    /// The refusal, with all ids.
    pub refusal: Refusal,
}

impl TracedRefusal {
    /// The name of the event, with its system.
    pub const EVENT: &str = "nsproxy_rs/nsproxy_rs_refused";

    /// Parses a line of `trace` or `trace_pipe`; [`None`] for a line of another event, or with a reason
    /// that this library does not know.
    pub fn parse(line: &str) -> Option<Self> {
        let (head, members) = line.split_once(" nsproxy_rs_refused: ")?;
        // "PROGRAM-PID [CPU] FLAGS TIME:", where the program may have any name.
        let (task, _) = head.rsplit_once(" [")?;
        let (_, task) = task.trim_end().rsplit_once('-')?;
        let text = |name: &str| {
            let mut members = members.split_whitespace();
            members.find_map(|member| member.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name| text(name)?.parse::<u32>().ok();
        let id = |name| text(name)?.parse::<u64>().ok();
        let (kind, reason) = (text("kind")?, text("reason")?);
        let kind = Kind::ALL.into_iter().find(|other| other.name() == kind);
        let reason = Reason::ALL.iter().find(|other| other.name() == reason)?;
        let members = sys::nsproxy_explain {
            error: number("error")?,
            reason: reason.number(),
            kind: kind.map_or(0, Kind::flag),
            cap: number("cap")?,
            count: number("count")?,
            ns_id: id("ns_id")?,
            user_ns_id: id("user_ns_id")?,
            limit: number("limit")?,
            levels: number("levels")?,
            ..Default::default()
        };
        Some(Self {
            task: task.parse().ok()?,
            refusal: Refusal::of(&members).ok()??,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;
    use rustix::io::Errno;

    const HEAD: &str =
        "       [a] nsenter -1 [-77      [001] d..1.   12.000001: nsproxy_rs_refused: ";

    #[test]
    fn a_missing_capability() {
        let line = "error=1 reason=cap-owner kind=uts ns_id=70 cap=21 user_ns_id=3 count=0 limit=0 \
                    levels=0";
        let refusal = Refusal {
            errno: Errno::PERM,
            reason: Reason::CapOwner,
            cap: Some((21, 3)),
            count: 0,
            namespace: Some((Kind::Uts, 70)),
            limit: None,
        };
        let expected = TracedRefusal { task: 77, refusal };
        let line = format!("{HEAD}{line}");
        assert_eq!(TracedRefusal::parse(&line), Some(expected));
        for wrong in ["cap-owner2", "-"] {
            let line = line.replace("cap-owner", wrong);
            assert_eq!(TracedRefusal::parse(&line), None, "{line}");
        }
        let step = line.replace("nsproxy_rs_refused", "nsproxy_rs_step");
        assert_eq!(TracedRefusal::parse(&step), None);
    }

    #[test]
    fn a_limit() {
        let line = "error=28 reason=limit kind=net ns_id=0 cap=0 user_ns_id=90 count=0 limit=5 \
                    levels=1";
        let TracedRefusal { refusal, .. } = TracedRefusal::parse(&format!("{HEAD}{line}")).unwrap();
        let limit = Limit {
            max: Some(5),
            user_ns: 90,
            levels: 1,
        };
        assert_eq!((refusal.limit, refusal.cap), (Some(limit), None));
        assert_eq!(refusal.namespace, Some((Kind::Net, 0)));
    }
}
