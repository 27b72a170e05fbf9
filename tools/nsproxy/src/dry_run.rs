// SPDX-License-Identifier: GPL-2.0-only

//! Asks the module which check refuses a call, by `NSPROXY_EXPLAIN`.

use crate::{
    errno::show,
    explainer::{Answer, Description, Explainer},
    plan::Call,
    refusal::{Refused, hint_lines},
    request::Request,
};
use anyhow::{Result, anyhow};
use nsproxy_diagnose::Task;
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

/// Explains a call.
///
/// # Errors
///
/// The module does not answer; with a hint.
pub(crate) fn explain(
    explainer: &Explainer,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<Answer> {
    explainer.explain(&Request::Setns { call, file }, |device| {
        request(device, call, file, how)
    })
}

/// Makes a call. Returns the refusal, if any.
///
/// # Errors
///
/// As [`explain`].
pub(crate) fn enter(
    explainer: &Explainer,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<Option<Answer>> {
    explainer.enter(&Request::Setns { call, file }, |device| {
        request(device, call, file, how)
    })
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
        refusal.map(|refusal| Refused::new(refusal, &Request::Setns { call, file })),
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

/// Describes a call of setns(2) that failed with `errno`. Must be called in the state in which the call
/// was made.
pub(crate) fn describe_setns(
    errno: Errno,
    call: &Call,
    file: BorrowedFd<'_>,
    as_of_2011: bool,
) -> Description {
    let how = Explain::dry_run(as_of_2011);
    let explainer = Explainer::default();
    let made = Request::Setns { call, file };
    let answer = explainer.explain_failure(errno, &made, |device| request(device, call, file, how));
    answer.describe(&made, &Task::current())
}
