// SPDX-License-Identifier: GPL-2.0-only

//! Journals for tests: the caller enters a uts namespace, or creates one.

use super::Traced;
use nsproxy_uapi::{Count, Explain, Journal, Kind, Member, Step, Taken};
use std::time::Duration;

fn taken(step: Step, time: u64, nsproxy: Option<[u32; 2]>, counts: Vec<Count>) -> Taken {
    Taken {
        step,
        time: Duration::from_nanos(time),
        errno: None,
        about: matches!(step, Step::Install | Step::NewNs).then_some((Kind::Uts, 42)),
        nsproxy,
        counts,
    }
}

fn uts(id: u64, members: &[Member], ns_ref: [u32; 2], active: [u32; 2]) -> Count {
    Count {
        kind: Kind::Uts,
        id,
        members: members.to_vec(),
        constant: id == 7,
        ns_ref,
        active,
    }
}

pub(super) fn traced() -> Traced {
    let steps = vec![
        taken(
            Step::Caller,
            500,
            Some([2, 2]),
            vec![uts(7, &[Member::Uts], [1; 2], [1; 2])],
        ),
        taken(Step::Fget, 1_500, None, vec![]),
        taken(Step::Create, 2_500, Some([0, 1]), vec![]),
        taken(
            Step::Install,
            3_500,
            None,
            vec![uts(7, &[], [1; 2], [1; 2]), uts(42, &[], [3, 4], [2, 2])],
        ),
        taken(
            Step::Activate,
            4_500,
            None,
            vec![uts(42, &[], [4; 2], [2, 3])],
        ),
        taken(Step::Switch, 5_500, None, vec![]),
        taken(Step::PutNsproxy, 6_500, Some([2, 1]), vec![]),
        taken(Step::Return, 7_500, None, vec![]),
    ];
    Traced {
        name: "setns",
        call: "the uts namespace of /uts".to_owned(),
        how: Explain::default(),
        refused: None,
        journal: Journal { steps },
    }
}

/// Returns the creation of a user and a uts namespace.
pub(super) fn unshared() -> Traced {
    let new_user = Taken {
        about: Some((Kind::User, 41)),
        ..taken(Step::NewNs, 3_500, None, vec![])
    };
    let new_uts = vec![uts(42, &[], [0, 1], [0; 2])];
    let before = Count {
        kind: Kind::User,
        ..uts(3, &[Member::User], [1; 2], [1; 2])
    };
    let mut steps = traced().journal.steps;
    let rest = steps.split_off(4);
    steps.truncate(1);
    steps[0].counts.push(before);
    steps.extend([
        taken(Step::Flags, 1_500, None, vec![]),
        taken(Step::Cred, 2_500, None, vec![]),
        new_user,
        taken(Step::NewNs, 3_600, None, new_uts),
        taken(Step::Create, 3_700, Some([0, 1]), vec![]),
    ]);
    steps.extend(rest);
    Traced {
        name: "unshare",
        call: "new user, uts namespaces".to_owned(),
        journal: Journal { steps },
        ..traced()
    }
}
