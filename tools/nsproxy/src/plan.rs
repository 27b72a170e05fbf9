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

/// The calls for `kinds`: one for each file that was named, and one with a pidfd for all that
/// are wanted of process `target`.
///
/// With `only_files` that is a call for each kind: setns(2) of 2011 knew no pidfd. A call comes
/// when the first of its kinds would be installed, so that a user namespace is entered before
/// those that it owns.
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
    Ok(calls)
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
            file("/a", Kind::Uts),
            process(7, &[Kind::Ipc, Kind::Time]),
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
}
