// SPDX-License-Identifier: GPL-2.0-only

//! The text form of sequences: `p0:unshare:net p1:setns:p0.net:0`.

use super::op::{
    Act, Cap, FORK_FLAGS, Handle, Link, Numbered as _, Op, Pidfd, Proc, Source, UNSHARE_FLAGS,
};
use crate::{
    case::implementation::{Kind, kinds_of},
    snapshot::LINKS,
};
use anyhow::{Context as _, Result, bail};
use std::{fmt, str::FromStr};

/// A sequence, as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence(pub(super) Vec<Op>);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromStr for Sequence {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let ops = text
            .split_whitespace()
            .map(|word| word.parse().with_context(|| format!("operation {word:?}")));
        Ok(Self(ops.collect::<Result<_>>()?))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(proc, act) => write!(f, "{proc}:{act}"),
            Self::Setns { proc, to, nstype } => {
                write!(f, "{proc}:setns:{to}:{}", flag_names(u64::from(*nstype)))
            }
            Self::Fork { proc, child, flags } => match flags {
                0 => write!(f, "{proc}:fork:{child}"),
                flags => write!(f, "{proc}:clone:{child}:{}", flag_names(*flags)),
            },
            Self::Exit(proc) => write!(f, "{proc}:exit"),
            Self::Open(handle, source) => write!(f, "{handle}:open:{source}"),
            Self::OpenPidfd(pidfd, proc) => write!(f, "{pidfd}:open:{proc}"),
            Self::Close(handle) => write!(f, "{handle}:close"),
            Self::Pin(handle, pin) => write!(f, "{handle}:pin:{pin}"),
            Self::Unpin(pin) => write!(f, "{pin}:unpin"),
            Self::Move(proc, cgroup) => write!(f, "{proc}:move:{cgroup}"),
        }
    }
}

impl FromStr for Op {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<_> = text.split(':').collect();
        Ok(match words[..] {
            [proc, "setns", to, nstype] => Self::Setns {
                proc: proc.parse()?,
                to: to.parse()?,
                nstype: flags_of(nstype, &[])? as u32,
            },
            [proc, "fork", child] => Self::Fork {
                proc: proc.parse()?,
                child: child.parse()?,
                flags: 0,
            },
            [proc, "clone", child, flags] => Self::Fork {
                proc: proc.parse()?,
                child: child.parse()?,
                flags: flags_of(flags, FORK_FLAGS)?,
            },
            [proc, "exit"] => Self::Exit(proc.parse()?),
            [pidfd, "open", proc] if pidfd.starts_with(Pidfd::LETTER) => {
                Self::OpenPidfd(pidfd.parse()?, proc.parse()?)
            }
            [handle, "open", source] => Self::Open(handle.parse()?, source.parse()?),
            [handle, "close"] => Self::Close(handle.parse()?),
            [handle, "pin", pin] => Self::Pin(handle.parse()?, pin.parse()?),
            [pin, "unpin"] => Self::Unpin(pin.parse()?),
            [proc, "move", cgroup] => Self::Move(proc.parse()?, cgroup.parse()?),
            [proc, ref act @ ..] => Self::Do(proc.parse()?, act_of(act)?),
            [] => bail!("missing operation"),
        })
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unshare(flags) => write!(f, "unshare:{}", flag_names(*flags)),
            Self::Execute => f.write_str("exec"),
            Self::Serve(on) => write!(f, "serve:{}", if *on { "on" } else { "off" }),
            Self::MapRoot => f.write_str("maproot"),
            Self::BecomeUser => f.write_str("user"),
            Self::Drop(cap) => write!(f, "drop:{}", cap),
            Self::SecureBit => f.write_str("securebit"),
            Self::Thread => f.write_str("thread"),
            Self::Chroot(dir) => write!(f, "chroot:{dir}"),
            Self::Chdir(dir) => write!(f, "chdir:{dir}"),
            Self::Raise => f.write_str("raise"),
            Self::Hostname(n) => write!(f, "hostname:{n}"),
            Self::Clocks(seconds) => write!(f, "clocks:{seconds}"),
            Self::Mount => f.write_str("mount"),
            Self::Keep => f.write_str("keep"),
            Self::Limit => f.write_str("limit"),
        }
    }
}

fn act_of(words: &[&str]) -> Result<Act> {
    Ok(match words {
        ["unshare", flags] => Act::Unshare(flags_of(flags, UNSHARE_FLAGS)?),
        ["exec"] => Act::Execute,
        ["serve", on @ ("on" | "off")] => Act::Serve(*on == "on"),
        ["maproot"] => Act::MapRoot,
        ["user"] => Act::BecomeUser,
        ["drop", name] => {
            let cap = Cap::ALL.into_iter().find(|cap| cap.name() == *name);
            Act::Drop(cap.context("unknown capability")?)
        }
        ["securebit"] => Act::SecureBit,
        ["thread"] => Act::Thread,
        ["chroot", dir] => Act::Chroot(dir.parse()?),
        ["chdir", dir] => Act::Chdir(dir.parse()?),
        ["raise"] => Act::Raise,
        ["hostname", n] => Act::Hostname(n.parse()?),
        ["clocks", seconds] => Act::Clocks(seconds.parse()?),
        ["mount"] => Act::Mount,
        ["keep"] => Act::Keep,
        ["limit"] => Act::Limit,
        _ => bail!("unknown operation"),
    })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(proc, link) => write!(f, "{proc}.{}", link.name()),
            Self::Process(proc) => write!(f, "{proc}"),
            Self::Handle(handle) => write!(f, "{handle}"),
            Self::Pidfd(pidfd) => write!(f, "{pidfd}"),
            Self::Owner(handle) => write!(f, "{handle}.owner"),
            Self::Parent(handle) => write!(f, "{handle}.parent"),
            Self::Pin(pin) => write!(f, "{pin}"),
            Self::Directory(proc) => write!(f, "{proc}.directory"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.split_once('.') {
            Some((handle, "owner")) => Self::Owner(handle.parse()?),
            Some((handle, "parent")) => Self::Parent(handle.parse()?),
            Some((proc, "directory")) => Self::Directory(proc.parse()?),
            Some((proc, link)) => {
                let index = LINKS.iter().position(|name| *name == link);
                Self::Link(proc.parse()?, Link(index.context("unknown link")? as u8))
            }
            None if text == "closed" => Self::Closed,
            None if text.starts_with(Proc::LETTER) => Self::Process(text.parse()?),
            None if text.starts_with(Handle::LETTER) => Self::Handle(text.parse()?),
            None if text.starts_with(Pidfd::LETTER) => Self::Pidfd(text.parse()?),
            None => Self::Pin(text.parse()?),
        })
    }
}

/// Returns the names of kinds and of other flags: `mnt+uts+fs`, or `0` for none.
fn flag_names(flags: u64) -> String {
    let kinds = kinds_of(flags as u32).map(Kind::name);
    let others = UNSHARE_FLAGS.iter().filter(|(_, flag)| flags & flag != 0);
    let names: Vec<_> = kinds.chain(others.map(|(name, _)| *name)).collect();
    if names.is_empty() {
        "0".to_owned()
    } else {
        names.join("+")
    }
}

/// Returns the flags with these names: kinds, and `others`.
fn flags_of(text: &str, others: &[(&str, u64)]) -> Result<u64> {
    if text == "0" {
        return Ok(0);
    }
    text.split('+').try_fold(0, |flags, name| {
        let other = others.iter().find(|(other, _)| *other == name);
        let flag = match other {
            Some((_, flag)) => *flag,
            None => {
                let kind = kind_of(name).with_context(|| format!("unknown kind {name:?}"))?;
                kind.flag().into()
            }
        };
        Ok(flags | flag)
    })
}

fn kind_of(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests {
    use super::{super::strategy, Sequence};
    use proptest::test_runner::{Config, TestRunner};

    #[test]
    fn printed_sequences_can_be_parsed() {
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        for theme in strategy::Theme::ALL {
            TestRunner::new(config.clone())
                .run(&theme.sequences(), |ops| {
                    let sequence = Sequence(ops);
                    let again: Sequence = sequence.to_string().parse().unwrap();
                    assert_eq!(again, sequence);
                    Ok(())
                })
                .unwrap();
        }
    }

    #[test]
    fn errors_name_the_operation() {
        for (text, mistake) in [
            ("p9:exit", "there are only 5"),
            ("p0:setns:p1.nat:0", "unknown link"),
            ("p0:unshare:nat", "unknown kind"),
            ("p0:clone:p3:vm", "unknown kind"),
            ("p0:serve:maybe", "unknown operation"),
            ("p0:dance", "unknown operation"),
            ("h0:setns:p1:0", "is not p and a number"),
        ] {
            let error = text.parse::<Sequence>().unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(mistake), "{text}: {error}");
            assert!(error.contains(text), "{text}: {error}");
        }
    }
}
