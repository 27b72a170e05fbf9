// SPDX-License-Identifier: GPL-2.0-only

//! The options that select kinds, with the letters of nsenter(1).

use crate::kinds::option;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches, error::Error};
use nsproxy_uapi::Kind;

/// The kinds to list; all if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KindFilter(Vec<Kind>);

impl KindFilter {
    pub(super) fn contains(&self, kind: Kind) -> bool {
        self.0.is_empty() || self.0.contains(&kind)
    }
}

impl Args for KindFilter {
    fn augment_args(command: Command) -> Command {
        Kind::ALL.into_iter().fold(command, |command, kind| {
            command.arg(option(kind).action(ArgAction::SetTrue).help(format!(
                "List {} namespaces [default: all kinds]",
                kind.name()
            )))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KindFilter {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let kinds = Kind::ALL.into_iter();
        let selected = kinds.filter(|kind| matches.get_flag(kind.name()));
        Ok(Self(selected.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::long;
    use clap::{CommandFactory as _, Parser};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        kinds: KindFilter,
    }

    fn selected(words: &[&str]) -> Vec<Kind> {
        let line = Line::try_parse_from(["test"].iter().chain(words)).unwrap();
        let kinds = Kind::ALL.into_iter();
        kinds.filter(|kind| line.kinds.contains(*kind)).collect()
    }

    #[test]
    fn letters_and_names_select_kinds() {
        Line::command().debug_assert();
        for kind in Kind::ALL {
            assert_eq!(selected(&[&format!("-{}", kind.letter())]), [kind]);
            assert_eq!(selected(&[&format!("--{}", long(kind))]), [kind]);
        }
        assert_eq!(selected(&["-nU"]), [Kind::User, Kind::Net]);
    }

    #[test]
    fn without_options_all_kinds_are_listed() {
        assert_eq!(selected(&[]), Kind::ALL);
    }
}
