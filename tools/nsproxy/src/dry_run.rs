// SPDX-License-Identifier: GPL-2.0-only

//! Asks the module which check refuses a call, by `NSPROXY_EXPLAIN`.

use crate::{
    errno::show,
    open,
    plan::Call,
    refusal::{Refused, hint_lines},
};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Device, Explain, Journal, Refusal};
use rustix::io::Errno;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// The description of dry runs in the help of the commands that make them.
pub(crate) const HELP: &str = "\
The calls are those of nsproxy setns, in its order. Each is
a dry run: it ends at the point of no return and changes
nothing. Later calls depend on earlier ones: if another call
follows, nsproxy also makes the call, and continues from
there. Only the nsproxy process moves, and then exits.";

/// Returns the refusal of a call; [`None`] if it would succeed.
///
/// # Errors
///
/// The module does not answer; with a hint.
pub(crate) fn explain(
    device: &Device,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<Option<Refusal>> {
    request(device, call, file, how).map_err(no_answer)
}

fn request(
    device: &Device,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<Option<Refusal>, Errno> {
    device.explain(file.as_raw_fd(), call.nstype() as i32, how)
}

/// Returns the refusal of a call, and its journal. The refusal is described at once, since a later
/// call may change the state that it is about.
///
/// # Errors
///
/// The module does not answer; with a hint.
pub(crate) fn trace(
    device: &Device,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<(Option<Refused>, Journal)> {
    let (refusal, journal) = device
        .trace(file.as_raw_fd(), call.nstype() as i32, how)
        .map_err(no_answer)?;
    Ok((
        refusal.map(|refusal| Refused::new(refusal, call, file)),
        journal,
    ))
}

pub(crate) fn no_answer(errno: Errno) -> anyhow::Error {
    let hint = hint_lines(hint(errno).as_slice());
    anyhow!(
        "cannot explain through {}: {}{hint}",
        Device::PATH,
        show(errno)
    )
}

/// Returns a hint for a module that does not answer.
fn hint(errno: Errno) -> Option<String> {
    let hint = match errno {
        Errno::PERM => {
            "a seccomp filter is active: load the module with allow_seccomp=1, or run without the \
             filter"
        }
        Errno::NOTTY => "load a newer module: it is older than this program",
        Errno::PROTO => "use a newer program: the module is newer than it",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Describes a call of setns(2) that failed with `errno`, see [`describe`].
pub(crate) fn describe_setns(
    errno: Errno,
    call: &Call,
    file: BorrowedFd<'_>,
    as_of_2011: bool,
) -> String {
    let how = Explain::dry_run(as_of_2011);
    describe(
        errno,
        |device| request(device, call, file, how),
        |refusal| Refused::new(refusal, call, file),
    )
}

/// Describes a call that failed with `errno`: with the reason, or with a hint how to get it. Must
/// be called in the state in which the call was made.
///
/// `request` makes a dry run of the call, and `refused` describes its refusal.
pub(crate) fn describe(
    errno: Errno,
    request: impl FnOnce(&Device) -> Result<Option<Refusal>, Errno>,
    refused: impl FnOnce(Refusal) -> Refused,
) -> String {
    let answer = Device::open()
        .map_err(open::hint_for_reason)
        .and_then(|device| refusal_of(errno, request(&device)));
    match answer {
        Ok(refusal) => refused(refusal).to_string(),
        Err(hint) => format!("{}{}", show(errno), hint_lines(&[hint])),
    }
}

/// Returns the refusal that a dry run reports after a call failed with `errno`.
///
/// # Errors
///
/// The dry run reports another result; a hint.
fn refusal_of(errno: Errno, answer: Result<Option<Refusal>, Errno>) -> Result<Refusal, String> {
    match answer {
        Ok(Some(refusal)) if refusal.errno == errno => Ok(refusal),
        Ok(_) => Err(
            "a dry run gives another result: check for a seccomp filter, or run it again"
                .to_owned(),
        ),
        Err(no_answer) => Err(hint(no_answer)
            .unwrap_or_else(|| format!("the module gives no reason: {}", show(no_answer)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Reason;

    #[test]
    fn only_the_same_errno_explains_a_failure() {
        let refusal = Refusal {
            errno: Errno::PERM,
            reason: Reason::Ptrace,
            cap: None,
            count: 0,
            namespace: None,
            limit: None,
        };
        let answer = Ok(Some(refusal));
        assert_eq!(refusal_of(Errno::PERM, answer), Ok(refusal));
        for other in [answer, Ok(None)] {
            let hint = refusal_of(Errno::INVAL, other).unwrap_err();
            assert!(hint.contains("another result"), "{hint}");
        }
    }

    #[test]
    fn a_filter_hides_the_reason() {
        let hint = refusal_of(Errno::PERM, Err(Errno::PERM)).unwrap_err();
        assert!(hint.contains("allow_seccomp=1"), "{hint}");
        let hint = refusal_of(Errno::PERM, Err(Errno::IO)).unwrap_err();
        assert!(hint.contains("EIO"), "{hint}");
    }
}
