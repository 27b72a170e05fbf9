// SPDX-License-Identifier: GPL-2.0-only

//! Which calls the options come to.

use crate::kinds::Kinds;
use nsproxy_uapi::Kind;
use std::{fmt, path::PathBuf};

/// What a call's file descriptor is to be opened from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An nsfs file: a path that was named, or one in `/proc/PID/ns`.
    File(PathBuf),
    /// A process: its pidfd.
    Process(i32),
}

/// One call of setns(2), or of the ioctl that mirrors it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where the namespaces are.
    pub(crate) source: Source,
    /// Which of them: one for a file, one or more for a process.
    pub(crate) kinds: Vec<Kind>,
}

impl Call {
    /// `nstype`, as `CLONE_NEW*`.
    pub(crate) fn nstype(&self) -> u32 {
        self.kinds.iter().fold(0, |flags, kind| flags | kind.flag())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        write!(f, "the {} namespace{plural} of ", names.join(", "))?;
        match &self.source {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

/// The calls for `kinds`: one with a pidfd for all that are wanted of process `target`, and one
/// for each file that was named.
///
/// With `only_files` that is a call for each kind: setns(2) of 2011 knew no pidfd.
///
/// # Errors
///
/// A kind without a file when there is no target, in words for the user.
pub(crate) fn calls(
    kinds: &Kinds,
    target: Option<i32>,
    only_files: bool,
) -> Result<Vec<Call>, String> {
    let mut calls: Vec<Call> = Vec::new();
    for (kind, file) in &kinds.0 {
        let source = match (file, target) {
            (Some(file), _) => Source::File(file.clone()),
            (None, Some(pid)) if only_files => {
                Source::File(format!("/proc/{pid}/ns/{}", kind.name()).into())
            }
            (None, Some(pid)) => Source::Process(pid),
            (None, None) => {
                return Err(format!(
                    "-{letter} wants a process to take the {name} namespace of (--target PID), \
                     or a file (-{letter}=FILE)",
                    letter = kind.letter(),
                    name = kind.name(),
                ));
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
    calls.sort_by_key(|call| matches!(call.source, Source::File(_)));
    Ok(calls)
}

/// Makes the calls, of which `setns` is given the index, in two passes as nsenter(1) does: those
/// without a user namespace, then the one that enters it, then again those that failed. A user
/// namespace takes rights away, over what our own one owns, and gives them, over what it owns
/// itself: no single order is right for both.
///
/// # Errors
///
/// The first call that had to succeed and did not, and its error.
pub(crate) fn make<E>(
    calls: &[Call],
    mut setns: impl FnMut(usize) -> Result<(), E>,
) -> Result<(), (usize, E)> {
    let (user, others): (Vec<usize>, Vec<usize>) =
        (0..calls.len()).partition(|&index| calls[index].kinds.contains(&Kind::User));
    let mut refused = Vec::new();
    for index in others {
        match setns(index) {
            Err(_) if !user.is_empty() => refused.push(index),
            result => result.map_err(|error| (index, error))?,
        }
    }
    for index in user.into_iter().chain(refused) {
        setns(index).map_err(|error| (index, error))?;
    }
    Ok(())
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
        assert_eq!(calls(&kinds, Some(7), false), Ok(vec![expected]));
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
        assert_eq!(calls(&kinds, Some(7), false), Ok(expected));
    }

    #[test]
    fn no_pidfd_in_2011() {
        let kinds = Kinds(vec![(Kind::Uts, None), (Kind::Net, None)]);
        let expected = vec![
            file("/proc/7/ns/uts", Kind::Uts),
            file("/proc/7/ns/net", Kind::Net),
        ];
        assert_eq!(calls(&kinds, Some(7), true), Ok(expected));
    }

    #[test]
    fn nothing_to_take_it_of() {
        let kinds = Kinds(vec![(Kind::Mnt, None)]);
        let error = calls(&kinds, None, false).unwrap_err();
        assert!(error.contains("--target PID"), "{error}");
    }

    /// What was called, and which call was the end of it, when those in `refused` fail until the
    /// user namespace is entered.
    fn made(calls: &[Call], refused: &[usize]) -> (Vec<usize>, Result<(), usize>) {
        let mut seen = Vec::new();
        let mut entered = false;
        let result = make(calls, |index| {
            seen.push(index);
            entered |= calls[index].kinds.contains(&Kind::User);
            if refused.contains(&index) && !entered {
                return Err(());
            }
            Ok(())
        });
        (seen, result.map_err(|(index, ())| index))
    }

    #[test]
    fn refused_calls_are_tried_again_in_the_user_namespace() {
        let calls = [
            process(7, &[Kind::User, Kind::Mnt]),
            file("/uts", Kind::Uts),
            file("/net", Kind::Net),
        ];
        assert_eq!(made(&calls, &[]), (vec![1, 2, 0], Ok(())));
        assert_eq!(made(&calls, &[1]), (vec![1, 2, 0, 1], Ok(())));
    }

    #[test]
    fn what_is_refused_there_too_fails() {
        let calls = [file("/user", Kind::User), file("/net", Kind::Net)];
        let result = make(&calls, |index| if index == 1 { Err(7) } else { Ok(()) });
        assert_eq!(result, Err((1, 7)));
    }

    #[test]
    fn without_a_user_namespace_the_first_refusal_counts() {
        let calls = [file("/uts", Kind::Uts), file("/net", Kind::Net)];
        assert_eq!(made(&calls, &[0, 1]), (vec![0], Err(0)));
    }
}
