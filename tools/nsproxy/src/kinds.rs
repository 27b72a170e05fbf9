// SPDX-License-Identifier: GPL-2.0-only

//! The options of nsenter(1) for the eight kinds of namespace.

use crate::{ns_file::NsFile, open_by_id};
use clap::{
    Arg, ArgMatches, Args, Command, FromArgMatches,
    builder::{OsStringValueParser, TypedValueParser as _},
    error::{ContextKind, ContextValue, Error},
};
use nsproxy_uapi::{Kind, nsfs};
use rustix::fs::{Mode, OFlags};

/// The kinds on the command line, in the order in which they are installed, each with its file if
/// there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(pub(crate) Vec<(Kind, Option<NsFile>)>);

impl Kinds {
    /// Adds the kinds of `named`. Their files replace those of the same kinds.
    pub(crate) fn override_with(&mut self, named: Self) {
        for (kind, file) in named.0 {
            self.0.retain(|(other, _)| *other != kind);
            self.0.push((kind, file));
        }
        self.0.sort_by_key(|(kind, _)| *kind);
    }
}

/// Adds a hint to the error about an argument that is the file or the id of a kind, without `=`.
pub(crate) fn hint(mut error: Error) -> Error {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    // The argument may be any file: opening it must not block.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match NsFile::parse(argument.as_ref()) {
        Ok(NsFile::Id(id)) => open_by_id::open(id),
        Ok(NsFile::Path(path)) => rustix::fs::open(path, flags, Mode::empty()),
        Err(_) => return error,
    };
    let kind = file.and_then(nsfs::kind).ok();
    // If the caller may not access the process, the path shows the kind.
    let named = || {
        let name = argument.strip_prefix("/proc/")?.rsplit_once("/ns/")?.1;
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    };
    if let Some(kind) = kind.or_else(named) {
        let hint = format!("join the file to its option: -{}={argument}", kind.letter());
        let hint = ContextValue::StyledStrs(vec![hint.into()]);
        error.insert(ContextKind::Suggested, hint);
    }
    error
}

/// Names the namespaces of some kinds, such as `user, net namespaces`.
pub(crate) fn names(kinds: &[Kind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} namespace{plural}", names.join(", "))
}

/// Returns the long option of a kind.
pub(crate) fn long(kind: Kind) -> &'static str {
    match kind {
        Kind::Mnt => "mount",
        kind => kind.name(),
    }
}

/// Returns the option of a kind, with the letter of nsenter(1).
pub(crate) fn option(kind: Kind) -> Arg {
    Arg::new(kind.name()).short(kind.letter()).long(long(kind))
}

impl Args for Kinds {
    fn augment_args(command: Command) -> Command {
        Kind::ALL.into_iter().fold(command, |command, kind| {
            command.arg(
                option(kind)
                    .value_name("FILE")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("")
                    .value_parser(OsStringValueParser::new().try_map(|word| {
                        let file = (!word.is_empty()).then(|| NsFile::parse(&word));
                        file.transpose()
                    }))
                    .help(format!(
                        "Enter the {} namespace of FILE [default: of the target]",
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
            let file = matches.get_one::<Option<NsFile>>(kind.name())?;
            Some((kind, file.clone()))
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
    fn joined_letters_are_sorted_in_the_order_of_install() {
        let expected = Kinds(vec![
            (Kind::User, None),
            (Kind::Mnt, None),
            (Kind::Net, Some("/a".into())),
        ]);
        assert_eq!(parse(&["-mUn=/a"]).unwrap(), expected);
    }

    #[test]
    fn a_file_without_equals_sign_has_a_hint() {
        let said = |words: &[&str]| hint(parse(words).unwrap_err()).to_string();
        assert!(!said(&["-m", "/a"]).contains("join the file"));
        for path in ["/proc/self/ns/net", "/proc/2147483647/ns/net"] {
            let said = said(&["-n", path]);
            let hint = format!("tip: join the file to its option: -n={path}");
            assert!(said.contains(&hint), "{said}");
        }
        // Since Linux 6.18.
        let file = std::fs::File::open("/proc/self/ns/net").unwrap();
        if let Ok(id) = nsfs::id(file) {
            let said = said(&["-n", &format!("id:{id}")]);
            assert!(said.contains(&format!("-n=id:{id}")), "{said}");
        }
    }

    #[test]
    fn ids_are_accepted_for_files() {
        let expected = Kinds(vec![(Kind::Net, Some(NsFile::Id(12)))]);
        assert_eq!(parse(&["-n=id:12"]).unwrap(), expected);
        let error = parse(&["-n=id:x"]).unwrap_err().to_string();
        assert!(error.contains("id:x is not the id"), "{error}");
    }

    #[test]
    fn named_files_override_all() {
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
