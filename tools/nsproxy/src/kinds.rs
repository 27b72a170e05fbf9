// SPDX-License-Identifier: GPL-2.0-only

//! nsenter(1)'s options of the eight kinds: one of each for every line of the table of kinds.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::Error, value_parser};
use nsproxy_uapi::Kind;
use std::{ffi::OsString, path::PathBuf};

/// The kinds that were asked for, in the order in which they are installed, each with the file
/// that was named, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(pub(crate) Vec<(Kind, Option<PathBuf>)>);

impl Kinds {
    /// Puts in what was asked for by name: its files win, and kinds that are missing are added.
    pub(crate) fn override_with(&mut self, named: Self) {
        for (kind, file) in named.0 {
            self.0.retain(|(other, _)| *other != kind);
            self.0.push((kind, file));
        }
        self.0.sort_by_key(|(kind, _)| *kind);
    }
}

/// The long option, which for one kind is not its name.
fn long(kind: Kind) -> &'static str {
    match kind {
        Kind::Mnt => "mount",
        kind => kind.name(),
    }
}

impl Args for Kinds {
    fn augment_args(command: Command) -> Command {
        Kind::ALL.into_iter().fold(command, |command, kind| {
            command.arg(
                Arg::new(kind.name())
                    .short(kind.letter())
                    .long(long(kind))
                    .value_name("FILE")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("")
                    .value_parser(value_parser!(OsString))
                    .help(format!(
                        "Enter the {} namespace, of FILE if one is named",
                        kind.name()
                    )),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Kinds {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let asked = |kind: Kind| {
            let file = matches.get_one::<OsString>(kind.name())?;
            Some((
                kind,
                Some(file)
                    .filter(|file| !file.is_empty())
                    .map(PathBuf::from),
            ))
        };
        Ok(Self(Kind::ALL.into_iter().filter_map(asked).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        kinds: Kinds,
    }

    fn parse(words: &[&str]) -> Result<Kinds, Error> {
        Line::try_parse_from(["test"].iter().chain(words)).map(|line| line.kinds)
    }

    #[test]
    fn every_kind_has_its_letter_and_its_name() {
        Line::command().debug_assert();
        for kind in Kind::ALL {
            let short = parse(&[&format!("-{}=/a", kind.letter())]).unwrap();
            let long = parse(&[&format!("--{}", long(kind))]).unwrap();
            assert_eq!(short, Kinds(vec![(kind, Some("/a".into()))]));
            assert_eq!(long, Kinds(vec![(kind, None)]));
        }
    }

    #[test]
    fn letters_can_be_joined_and_come_in_the_order_of_install() {
        let expected = Kinds(vec![
            (Kind::User, None),
            (Kind::Mnt, None),
            (Kind::Net, Some("/a".into())),
        ]);
        assert_eq!(parse(&["-mUn=/a"]).unwrap(), expected);
    }

    #[test]
    fn a_file_needs_its_sign() {
        assert!(parse(&["-m", "/a"]).is_err());
    }

    #[test]
    fn what_is_named_wins_over_all() {
        let mut kinds = Kinds(vec![(Kind::Mnt, None), (Kind::Time, None)]);
        kinds.override_with(Kinds(vec![
            (Kind::Mnt, Some("/a".into())),
            (Kind::Net, None),
        ]));
        let expected = Kinds(vec![
            (Kind::Mnt, Some("/a".into())),
            (Kind::Net, None),
            (Kind::Time, None),
        ]);
        assert_eq!(kinds, expected);
    }
}
