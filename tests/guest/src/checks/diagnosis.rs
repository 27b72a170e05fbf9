// SPDX-License-Identifier: GPL-2.0-only

//! The explanation of a call from user space, `nsproxy-diagnose`, compared with that of the module, or
//! with the reason that the case names in a guest without the module.
//!
//! The errno must be the same. The causes must contain the check that refused. User space cannot tell
//! all checks apart, so the comparisons are counted: see [`Agreements`].

use crate::{
    case::Case,
    env::module::Module,
    errno::{Outcome, outcome_name},
    process::setup::Setup,
    report::verdict_port,
};
use anyhow::Result;
use nsproxy_diagnose::{Cause, Verdict};
use nsproxy_uapi::Reason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The explanation of a call from user space, in the state of its caller.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Diagnosis {
    outcome: Outcome,
    /// `false` if the outcome is predicted.
    was_tried: bool,
    causes: Causes,
}

/// Possible causes: a bit for each number of a reason, and bit 0 for a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Causes(u64);

impl Causes {
    fn of(reason: Reason) -> Self {
        Self(1 << reason.number())
    }

    fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn names(self) -> String {
        let all = Reason::ALL.iter().copied();
        let mut names: Vec<_> = all
            .filter(|reason| self.contains(Self::of(*reason)))
            .map(Reason::name)
            .collect();
        if self.0 & 1 != 0 {
            names.push("seccomp");
        }
        match names.is_empty() {
            true => "unknown".to_owned(),
            false => names.join(" or "),
        }
    }
}

impl From<Verdict> for Diagnosis {
    fn from(verdict: Verdict) -> Self {
        let causes = verdict.causes.iter().fold(0, |causes, cause| match cause {
            Cause::Check(refusal) => causes | Causes::of(refusal.reason).0,
            Cause::Seccomp => causes | 1,
        });
        Self {
            outcome: verdict.result.map_err(Into::into),
            was_tried: verdict.not_tried.is_none(),
            causes: Causes(causes),
        }
    }
}

/// The result of a comparison that is not wrong.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Agreement {
    /// Both predict success.
    Success,
    /// Both name the same check.
    Same,
    /// User space names several checks, or none. The expected one is among several.
    Several(u32, Several),
    /// Both predict the same error, and no check is expected.
    SameErrno,
}

/// The expectation about an explanation.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    /// The result of the call.
    pub(crate) outcome: Outcome,
    /// The check that refused it; [`None`] if the call succeeded, or if the check is not known.
    pub(crate) reason: Option<Reason>,
    /// The source of the reason, for messages.
    pub(crate) source: &'static str,
}

/// Several causes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Several(Causes);

/// Returns whether the check is about tasks that share something with the caller. User space does not see
/// those that ptrace(2) denies the caller access to.
fn is_about_other_tasks(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::FsShared | Reason::MmShared | Reason::VmShared | Reason::SighandShared
    )
}

/// Returns whether the check refuses only when memory is short, or for another reason that nothing shows.
fn is_rare(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoNsProxy
            | Reason::NoCred
            | Reason::NoFs
            | Reason::NoFiles
            | Reason::NoNewNs
            | Reason::NewUcounts
            | Reason::Ucounts
            | Reason::Root
    )
}

/// Compares the explanation of user space with the result of the call, and with the check that
/// refused it.
pub(crate) fn compare(
    case: &Case,
    diagnosis: Diagnosis,
    expected: Expected,
    wrong: &mut Vec<String>,
) -> Option<Agreement> {
    let Expected {
        outcome,
        reason,
        source,
    } = expected;
    let Diagnosis {
        outcome: found,
        was_tried,
        causes,
    } = diagnosis;
    let is_user = |setup: &Setup| matches!(setup, Setup::SetIds(_));
    if found != outcome {
        // A prediction names what it does not know.
        let may_be = |reason| !was_tried && found.is_ok() && causes.contains(Causes::of(reason));
        let is_unseen = |reason| is_about_other_tasks(reason) && case.caller.iter().any(is_user);
        if let Some(reason) = reason
            && (may_be(reason) || is_unseen(reason) || !was_tried && is_rare(reason))
        {
            return Some(Agreement::Several(reason.number(), Several(causes)));
        }
        wrong.push(format!(
            "user space predicted {}, the call returned {}",
            outcome_name(found),
            outcome_name(outcome)
        ));
        return None;
    }
    let reason = match (outcome, reason) {
        (Ok(()), _) => return Some(Agreement::Success),
        (Err(_), None) => return Some(Agreement::SameErrno),
        (Err(_), Some(reason)) => reason,
    };
    let expected = Causes::of(reason);
    if causes == expected {
        return Some(Agreement::Same);
    }
    if causes.0 != 0 && !causes.contains(expected) {
        wrong.push(format!(
            "user space explained {} by {}, {source} by {}",
            outcome_name(outcome),
            causes.names(),
            reason.name()
        ));
        return None;
    }
    Some(Agreement::Several(reason.number(), Several(causes)))
}

/// Counts the comparisons of a suite.
#[derive(Debug, Default)]
pub(crate) struct Agreements {
    success: u32,
    same: u32,
    same_errno: u32,
    /// By the expected check, and what user space names.
    several: BTreeMap<(u32, Causes), u32>,
}

impl Agreements {
    pub(crate) fn add(&mut self, agreement: Agreement) {
        match agreement {
            Agreement::Success => self.success += 1,
            Agreement::Same => self.same += 1,
            Agreement::SameErrno => self.same_errno += 1,
            Agreement::Several(reason, Several(causes)) => {
                *self.several.entry((reason, causes)).or_default() += 1;
            }
        }
    }

    /// Prints the counts of predictions by another process than the caller.
    pub(crate) fn print_predictions(&self) {
        let several: u32 = self.several.values().sum();
        let refused = self.same + several;
        if refused + self.success > 0 {
            let success = self.success;
            println!(
                "# another process: {success} successes and {refused} refusals predicted as by the \
                 module, {several} of them with several possible causes"
            );
        }
    }

    /// Prints the counts, and sends them to the host.
    pub(crate) fn report(&self, module: Module) -> Result<()> {
        let several: u32 = self.several.values().sum();
        let refused = self.same + several;
        let (success, same_errno) = (self.success, self.same_errno);
        if refused + success + same_errno == 0 {
            return Ok(());
        }
        let source = match module {
            Module::Loaded => "by the module",
            Module::Missing => "the cases expect",
        };
        let text = format!(
            "user space: {success} successes and {refused} refusals explained as {source}, \
             {several} of them with several possible causes"
        );
        println!("# {text}");
        if module == Module::Missing {
            let more = format!("{same_errno} more with the errno of the call alone");
            println!("# user space: {more}");
            verdict_port::summary(format!("{text}; {more}"))?;
        }
        verdict_port::fact("user-space.success", success)?;
        verdict_port::fact("user-space.same", self.same)?;
        for ((reason, causes), count) in &self.several {
            let reason = Reason::of(*reason).map_or("none", Reason::name);
            let causes = causes.names();
            println!("# user space: {reason}: {causes}: {count}");
            let causes = causes.replace(' ', "_");
            verdict_port::fact(format!("user-space.several.{reason}:{causes}"), count)?;
        }
        Ok(())
    }
}
