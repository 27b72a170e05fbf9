// SPDX-License-Identifier: GPL-2.0-only

//! The calls that the options request, and their order: one plan for the commands that make the
//! calls and for those that make dry runs.

use crate::{
    dry_run,
    explainer::{Answer, Explainer},
    kinds::{self, Kinds},
    ns_file::NsFile,
    open, target_args,
};
use anyhow::{Result, bail};
use clap::Error as UsageError;
use nsproxy_uapi::{Explain, Kind, Reason};
use std::{
    fmt,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

/// The object from which a call's file descriptor is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An nsfs file: a path or an id from the command line, or a path in `/proc/PID/ns`.
    File(NsFile),
    /// A process: its pidfd.
    Process(i32),
}

/// One call of setns(2), or of the ioctl that mirrors it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The file or process that gives the namespaces.
    pub(crate) source: Source,
    /// The kinds to enter: one for a file, one or more for a process.
    pub(crate) kinds: Vec<Kind>,
}

impl Call {
    /// Returns `nstype`, as `CLONE_NEW*`.
    pub(crate) fn nstype(&self) -> u32 {
        Kind::flags_of(&self.kinds)
    }

    /// Returns whether the call enters a user namespace.
    pub(crate) fn enters_user(&self) -> bool {
        self.kinds.contains(&Kind::User)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of ", kinds::names(&self.kinds))?;
        match &self.source {
            Source::File(file) => write!(f, "{}", file.display()),
            Source::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

/// Returns the calls for `kinds`: one with a pidfd for all kinds of process `target`, and one for
/// each file on the command line.
///
/// With `only_files`, each kind gets its own call: setns(2) of 2011 had no pidfds. The call that
/// enters a user namespace is the last.
///
/// # Errors
///
/// A kind has no file, and there is no target.
pub(crate) fn calls(
    kinds: &Kinds,
    target: Option<i32>,
    only_files: bool,
) -> Result<Vec<Call>, UsageError> {
    let mut calls: Vec<Call> = Vec::new();
    for (kind, file) in &kinds.0 {
        let source = match (file, target) {
            (Some(file), _) => Source::File(file.clone()),
            (None, Some(pid)) if only_files => {
                Source::File(format!("/proc/{pid}/ns/{}", kind.name()).into())
            }
            (None, Some(pid)) => Source::Process(pid),
            (None, None) => {
                let (letter, name) = (kind.letter(), kind.name());
                return Err(target_args::usage(format!(
                    "-{letter}: missing source of the {name} namespace: a process (--target PID), \
                     a file (-{letter}=FILE) or an id (-{letter}=id:N)"
                )));
            }
        };
        match calls.iter_mut().find(|call| call.source == source) {
            Some(call) if matches!(source, Source::Process(_)) => call.kinds.push(*kind),
            _ => calls.push(Call {
                source,
                kinds: vec![*kind],
            }),
        }
    }
    calls.sort_by_key(|call| (call.enters_user(), matches!(call.source, Source::File(_))));
    Ok(calls)
}

/// The calls of a command in their order, each with its file, open.
pub(crate) struct Plan(Vec<(Call, OwnedFd)>);

/// The call that the plan makes next.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) call: &'a Call,
    pub(crate) file: BorrowedFd<'a>,
    /// `true` if the call, when refused, is made again after the user namespace is entered.
    pub(crate) is_retried: bool,
    /// `true` if another call follows when this one succeeds.
    pub(crate) is_followed: bool,
}

impl Plan {
    /// Opens the files of all calls in advance: entering a mount namespace may replace `/proc`.
    ///
    /// # Errors
    ///
    /// [`open::Failed`] for the first file that cannot be opened.
    pub(crate) fn open(calls: Vec<Call>) -> Result<Self> {
        let with_file = |call: Call| {
            let file = open::source(&call)?;
            Ok((call, file))
        };
        calls
            .into_iter()
            .map(with_file)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Returns the calls, in the order of the first pass.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.0.iter().map(|(call, _)| call)
    }

    /// Executes the plan. `call` makes a call or a dry run, and returns the refusal, if any.
    ///
    /// There are two passes, as in nsenter(1): first the calls without a user namespace, then the
    /// call that enters it, then the refused calls again. Entering a user namespace gains the
    /// capabilities over namespaces that it owns. It loses those over namespaces that the caller's
    /// former user namespace owns. No single order is right for both.
    ///
    /// Returns the refusal that ends the plan, and the refused call.
    ///
    /// # Errors
    ///
    /// The first error of `call`.
    pub(crate) fn execute<'a, R>(
        &'a self,
        mut call: impl FnMut(Turn<'a>) -> Result<Option<R>>,
    ) -> Result<Option<(Turn<'a>, R)>> {
        let (user, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(call, _)| call.enters_user());
        let turn = |(call, file): &'a (Call, OwnedFd), is_retried, is_followed| Turn {
            call,
            file: file.as_fd(),
            is_retried,
            is_followed,
        };
        let is_retried = !user.is_empty();
        let mut refused = Vec::new();
        let mut left = others.len() + user.len();
        for other in others {
            left -= 1;
            let turn = turn(other, is_retried, left > 0);
            match call(turn)? {
                Some(_) if is_retried => refused.push(other),
                Some(why) => return Ok(Some((turn, why))),
                None => {}
            }
        }
        let mut left = user.len() + refused.len();
        for again in user.into_iter().chain(refused) {
            left -= 1;
            let turn = turn(again, false, left > 0);
            if let Some(why) = call(turn)? {
                return Ok(Some((turn, why)));
            }
        }
        Ok(None)
    }

    /// Executes the plan with dry runs, each in the state that results from the earlier calls.
    ///
    /// A call that would succeed and is followed is therefore made. This process is then in other
    /// namespaces, and must exit with its result. Nothing else changes: the process has no
    /// children. A call that would move a task which shares its root directory is not made.
    ///
    /// # Errors
    ///
    /// The module does not answer, or a call that must not be made is followed.
    pub(crate) fn dry_run<'a>(
        &'a self,
        explainer: &Explainer,
        as_of_2011: bool,
        mut dry_run: impl FnMut(Turn<'a>, Explain) -> Result<Option<Answer>>,
    ) -> Result<Option<(Turn<'a>, Answer)>> {
        self.execute(|turn| match dry_run(turn, Explain::dry_run(as_of_2011))? {
            None if turn.is_followed => enter(explainer, turn, as_of_2011),
            refusal => Ok(refusal),
        })
    }
}

/// Makes a call that is followed, so that the next dry run starts in the right state.
fn enter(explainer: &Explainer, turn: Turn<'_>, as_of_2011: bool) -> Result<Option<Answer>> {
    let Turn { call, file, .. } = turn;
    // With several kinds, install() before Linux 7.3 checks the users of a private copy of the
    // fs_struct. The check passes, although a task that shares the original would move, too.
    if call.kinds.contains(&Kind::Mnt) {
        let alone = Call {
            source: call.source.clone(),
            kinds: vec![Kind::Mnt],
        };
        let answer = dry_run::explain(explainer, &alone, file, Explain::dry_run(as_of_2011))?;
        if answer.is_refused() && answer.may_be(Reason::FsShared) {
            bail!(
                "cannot continue the dry run after {call}: entering moves tasks that share the \
                 caller's root directory\n  hint: call from a child made by fork(2)"
            );
        }
    }
    let how = Explain {
        dry_run: false,
        as_of_2011,
    };
    dry_run::enter(explainer, call, file, how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, kind: Kind) -> Call {
        Call {
            source: Source::File(path.into()),
            kinds: vec![kind],
        }
    }

    fn process(pid: i32, kinds: &[Kind]) -> Call {
        Call {
            source: Source::Process(pid),
            kinds: kinds.to_vec(),
        }
    }

    #[test]
    fn one_call_for_a_process() {
        let kinds = Kinds(vec![
            (Kind::User, None),
            (Kind::Mnt, None),
            (Kind::Net, None),
        ]);
        let expected = process(7, &[Kind::User, Kind::Mnt, Kind::Net]);
        assert_eq!(expected.nstype(), 0x5002_0000);
        assert_eq!(calls(&kinds, Some(7), false).unwrap(), [expected]);
    }

    #[test]
    fn one_call_for_each_file() {
        let kinds = Kinds(vec![
            (Kind::Uts, Some("/a".into())),
            (Kind::Ipc, None),
            (Kind::Net, Some("/a".into())),
            (Kind::Time, None),
        ]);
        let expected = vec![
            process(7, &[Kind::Ipc, Kind::Time]),
            file("/a", Kind::Uts),
            file("/a", Kind::Net),
        ];
        assert_eq!(calls(&kinds, Some(7), false).unwrap(), expected);
    }

    #[test]
    fn no_pidfd_in_2011() {
        let kinds = Kinds(vec![(Kind::Uts, None), (Kind::Net, None)]);
        let expected = vec![
            file("/proc/7/ns/uts", Kind::Uts),
            file("/proc/7/ns/net", Kind::Net),
        ];
        assert_eq!(calls(&kinds, Some(7), true).unwrap(), expected);
    }

    #[test]
    fn a_kind_without_a_source() {
        let kinds = Kinds(vec![(Kind::Mnt, None)]);
        let error = calls(&kinds, None, false).unwrap_err().to_string();
        assert!(error.contains("--target PID"), "{error}");
    }

    /// Returns a plan whose files are all `/dev/null`.
    fn plan(calls: &[Call]) -> Plan {
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        Plan(calls.iter().map(|call| (call.clone(), null())).collect())
    }

    /// Returns the calls in their order, and the call that ends the plan.
    ///
    /// `?` marks a call that is made again if it is refused, `+` one that is followed. Calls to
    /// `refused` are refused until the user namespace is entered; with `always`, also after that.
    fn made(calls: &[Call], refused: &[&str], always: bool) -> (Vec<String>, Option<String>) {
        let name = |call: &Call| match &call.source {
            Source::File(file) => file.display().to_string(),
            Source::Process(pid) => pid.to_string(),
        };
        let mut seen = Vec::new();
        let mut entered = false;
        let plan = plan(calls);
        let end = plan.execute(|turn| {
            let name = name(turn.call);
            let retried = if turn.is_retried { "?" } else { "" };
            let followed = if turn.is_followed { "+" } else { "" };
            seen.push(format!("{name}{retried}{followed}"));
            let is_refused = refused.contains(&name.as_str()) && (always || !entered);
            entered |= turn.call.enters_user() && !is_refused;
            Ok(is_refused.then_some(()))
        });
        let end = end.unwrap().map(|(turn, ())| name(turn.call));
        (seen, end)
    }

    #[test]
    fn the_user_namespace_comes_last() {
        let kinds = Kinds(vec![
            (Kind::User, Some("/user".into())),
            (Kind::Uts, None),
            (Kind::Net, Some("/net".into())),
        ]);
        let expected = vec![
            process(7, &[Kind::Uts]),
            file("/net", Kind::Net),
            file("/user", Kind::User),
        ];
        assert_eq!(calls(&kinds, Some(7), false).unwrap(), expected);
    }

    #[test]
    fn refused_calls_are_made_again_in_the_user_namespace() {
        let calls = [
            file("/uts", Kind::Uts),
            file("/net", Kind::Net),
            process(7, &[Kind::User, Kind::Mnt]),
        ];
        let seen = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(made(&calls, &[], false), (seen("/uts?+ /net?+ 7"), None));
        assert_eq!(
            made(&calls, &["/uts"], false),
            (seen("/uts?+ /net?+ 7+ /uts"), None)
        );
        assert_eq!(
            made(&calls, &["/net", "/uts"], false),
            (seen("/uts?+ /net?+ 7+ /uts+ /net"), None)
        );
        assert_eq!(
            made(&calls, &["/uts"], true),
            (seen("/uts?+ /net?+ 7+ /uts"), Some("/uts".to_owned()))
        );
        assert_eq!(
            made(&calls, &["/net", "7"], true),
            (seen("/uts?+ /net?+ 7+"), Some("7".to_owned()))
        );
    }

    #[test]
    fn without_a_user_namespace_the_first_refusal_counts() {
        let calls = [file("/uts", Kind::Uts), file("/net", Kind::Net)];
        let (seen, end) = made(&calls, &["/uts", "/net"], true);
        assert_eq!(
            (seen, end),
            (vec!["/uts+".to_owned()], Some("/uts".to_owned()))
        );
    }

    #[test]
    fn an_error_ends_the_plan() {
        let calls = [file("/uts", Kind::Uts), file("/user", Kind::User)];
        let plan = plan(&calls);
        let mut times = 0;
        let result = plan.execute(|_| -> Result<Option<()>> {
            times += 1;
            bail!("no answer")
        });
        assert!(result.is_err() && times == 1, "{times}");
    }
}
