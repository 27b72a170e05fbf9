// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain`, and why another command failed.

use crate::{
    asked::{self, Asked},
    errno::{self, show},
    open,
    plan::{Call, Source},
    status::ExitCode,
};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Device, Explain, Journal, Kind, Reason, Refusal};
use rustix::{io::Errno, thread::CapabilitySet};
use std::{
    fmt::Write as _,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// How a plan is asked about, in the help of the commands that do.
pub(crate) const ASKS: &str = "\
The calls are those of nsproxy setns, in its order. Each is a dry run: it is made
as far as it can fail, and released. What follows a call depends on it, so if
others follow, nsproxy then really makes the call, and asks about the next from
there. Only nsproxy itself moves, and it ends with its answer.";

fn after_help() -> String {
    format!(
        "\
A call is printed each time that its turn comes. One that is refused before the
user namespace is entered is made again after it.

{ASKS}

Exit status:
  0  all calls would succeed
  1  a call would fail, or the module does not answer
  2  usage error"
    )
}

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let plan = match args.asked.plan()? {
        Ok(plan) => plan,
        Err(message) => return Ok(asked::usage("explain", &message)),
    };
    let device = open::device()?;
    args.asked.report_nothing();
    let mut left: Vec<_> = plan.calls().collect();
    let refused = plan.ask(&device, args.asked.as_of_2011, |turn, how| {
        let call = turn.call;
        let refusal = ask(&device, call, turn.file, how)?;
        match refusal {
            Some(refusal) if turn.is_retried => {
                let (errno, check) = (errno::word(refusal.errno), refusal.reason.name());
                println!("{call}: {errno} {check}, made again after the user namespace is entered");
                return Ok(Some(refusal));
            }
            Some(refusal) => println!("{call}: {}", words(refusal, call)),
            None => println!("{call}: can be entered"),
        }
        left.retain(|other| *other != call);
        Ok(refusal)
    })?;
    for call in left {
        println!("{call}: not made, after this failure");
    }
    Ok(match refused {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    })
}

/// Why a call is refused; [`None`] if it is not.
///
/// # Errors
///
/// Nobody says, and what to do.
pub(crate) fn ask(
    device: &Device,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<Option<Refusal>> {
    device
        .explain(file.as_raw_fd(), call.nstype() as i32, how)
        .map_err(no_answer)
}

/// The same, and what each step did.
///
/// # Errors
///
/// Nobody says, and what to do.
pub(crate) fn trace(
    device: &Device,
    call: &Call,
    file: BorrowedFd<'_>,
    how: Explain,
) -> Result<(Option<Refusal>, Journal)> {
    device
        .trace(file.as_raw_fd(), call.nstype() as i32, how)
        .map_err(no_answer)
}

fn no_answer(errno: Errno) -> anyhow::Error {
    let remedy = match errno {
        Errno::PERM => {
            "; a seccomp filter is on, and the module does not serve such callers unless loaded \
             with allow_seccomp=1"
        }
        Errno::NOTTY => "; the module that is loaded is older than this program",
        Errno::PROTO => "; the module that is loaded is newer than this program",
        _ => "",
    };
    anyhow!("{} does not explain: {}{remedy}", Device::PATH, show(errno))
}

/// Why a call failed with `errno`, if the module is there to say it and still says the same.
pub(crate) fn after(
    errno: Errno,
    call: &Call,
    file: BorrowedFd<'_>,
    as_of_2011: bool,
) -> Option<String> {
    let how = Explain::dry_run(as_of_2011);
    let refusal = ask(&Device::open().ok()?, call, file, how).ok()??;
    (refusal.errno == errno).then(|| words(refusal, call))
}

/// The errno, which check it was, and what helps.
pub(crate) fn words(refusal: Refusal, call: &Call) -> String {
    let Refusal {
        errno,
        reason,
        cap,
        count,
        namespace,
    } = refusal;
    let (why, remedy) = sentence(reason, count);
    let mut text = format!("{}\nreason: {why}", show(errno));
    if let Some((cap, user_ns)) = cap {
        let place = match user_ns {
            0 => "a user namespace that we are not told of".to_owned(),
            id => format!("user namespace {id}"),
        };
        let _ = write!(text, "\n  lacking: {} in {place}", name_of(cap));
    }
    if let Some((kind, id)) = namespace {
        let _ = write!(text, "\n  about: {} namespace {id}", kind.name());
    }
    if !remedy.is_empty() {
        let _ = write!(text, "\n  remedy: {remedy}");
    }
    let is_for_want_of_rights =
        matches!(reason, Reason::CapOwner | Reason::CapSet | Reason::Chroot);
    let of_process = matches!(call.source, Source::Process(_));
    if is_for_want_of_rights && of_process && !call.kinds.contains(&Kind::User) {
        text += "\n  or: with -U, if its user namespace is another one than ours, enter that first";
    }
    text
}

/// `CAP_SYS_ADMIN` and the like.
pub(crate) fn name_of(cap: u32) -> String {
    let set = 1_u64.checked_shl(cap).map(CapabilitySet::from_bits_retain);
    match set.and_then(|set| set.iter_names().next()) {
        Some((name, _)) => format!("CAP_{name}"),
        None => format!("capability {cap}"),
    }
}

/// Each check that can be failed, and what helps against it.
pub(crate) fn sentence(reason: Reason, count: u32) -> (String, &'static str) {
    let (why, remedy) = match reason {
        Reason::BadFd => (
            "the descriptor is not open, or was opened with O_PATH",
            "open it for reading",
        ),
        Reason::Neither => (
            "the file is neither a namespace nor a process",
            "use /proc/PID/ns/KIND, a bind mount of it, or a pidfd",
        ),
        Reason::NsType => (
            "the file is a namespace of another kind",
            "name the kind that it is of, or 0",
        ),
        Reason::NoFlags => (
            "a pidfd, and no kind is asked for",
            "name one or more kinds",
        ),
        Reason::UnknownFlags => (
            "more is asked for than the eight kinds",
            "ask for CLONE_NEW* only",
        ),
        Reason::Unsupported => ("the kernel was built without one of the kinds", ""),
        Reason::NoNsProxy => ("no memory for a struct nsproxy", ""),
        Reason::NoCred => ("no memory for a struct cred", ""),
        Reason::NoFs => ("no memory for a struct fs_struct", ""),
        Reason::Reaped => ("the process has exited, and its parent has taken note", ""),
        Reason::Ptrace => (
            "we may not look into the process: ptrace(2), PTRACE_MODE_READ_REALCREDS",
            "the same user as its, and no fewer capabilities; or CAP_SYS_PTRACE",
        ),
        Reason::Exiting => ("the process has exited: it is a zombie", ""),
        Reason::NoPidNs => (
            "the process is about to be gone: it is in no pid namespace any more",
            "",
        ),
        Reason::CapOwner => (
            "no right in the user namespace that owns the namespace",
            "be root there",
        ),
        Reason::CapSet => (
            "no right in the user namespace that we are in",
            "be root there",
        ),
        Reason::Chroot => (
            "entering a mount namespace changes the root directory",
            "be root there",
        ),
        Reason::CapUser => (
            "no right in the user namespace to be entered",
            "it takes its owner, in the parent, or root above it",
        ),
        Reason::Anonymous => (
            "the mount namespace is an anonymous one: it cannot be entered",
            "",
        ),
        Reason::FsShared => {
            return (
                format!(
                    "{count} tasks share our root and working directory (CLONE_FS), us among them"
                ),
                "unshare(CLONE_FS) first; threads share them, too",
            );
        }
        Reason::Root => ("the root of the mount namespace cannot be found", ""),
        Reason::NotBelow => (
            "the pid namespace is neither ours nor a descendant of it",
            "from a process further up: one cannot leave one's own",
        ),
        Reason::SameUser => ("we are in that user namespace already", "leave it out"),
        Reason::Threads => {
            return (
                format!("we are one of {count} threads: a process is in one user namespace"),
                "call before the first thread is made, or from a child",
            );
        }
        Reason::Ucounts => (
            "what is counted by user and namespace cannot be counted there",
            "",
        ),
        Reason::MmShared => {
            return (
                format!("{count} tasks share our memory: the clocks of the vDSO are in it"),
                "call before the first thread is made, or from a child of fork(2)",
            );
        }
        Reason::CapInit => (
            "in 2011 it took CAP_SYS_ADMIN in the initial user namespace, before all else",
            "be root",
        ),
        Reason::NoNs => ("in 2011 there were namespace files of net, uts and ipc", ""),
        Reason::Unexplained => (
            "the kernel refused, and no check that is known here would",
            "this is a bug of nsproxy_rs: please report it",
        ),
    };
    (why.to_owned(), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kinds: &[Kind]) -> Call {
        Call {
            source: Source::Process(7),
            kinds: kinds.to_vec(),
        }
    }

    fn refused(reason: Reason) -> Refusal {
        Refusal {
            errno: Errno::PERM,
            reason,
            cap: Some((21, 99)),
            count: 3,
            namespace: Some((Kind::Net, 12)),
        }
    }

    #[test]
    fn it_says_what_is_lacking_where() {
        let text = words(refused(Reason::CapOwner), &call(&[Kind::Net]));
        assert!(
            text.contains("CAP_SYS_ADMIN in user namespace 99"),
            "{text}"
        );
        assert!(
            text.contains("net namespace 12") && text.contains("with -U"),
            "{text}"
        );
        let text = words(refused(Reason::CapOwner), &call(&[Kind::Net, Kind::User]));
        assert!(!text.contains("with -U"), "{text}");
    }

    #[test]
    fn capabilities_have_names() {
        assert_eq!(name_of(18), "CAP_SYS_CHROOT");
        assert_eq!(name_of(63), "capability 63");
        assert_eq!(name_of(u32::MAX), "capability 4294967295");
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut all: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| sentence(*reason, 3).0)
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Reason::ALL.len());
    }
}
