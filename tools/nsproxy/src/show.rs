// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy show`: the namespaces of a task, and who holds them.

use crate::{
    errno::show,
    open,
    plan::{Call, Source},
    status::ExitCode,
};
use anyhow::{Result, anyhow};
use nsproxy_uapi::{Device, Namespace, Shown};
use rustix::io::Errno;
use serde::Serialize;
use std::{fmt::Write as _, os::fd::AsFd as _};

const AFTER_HELP: &str = "\
NS_REF is what keeps a namespace in memory, ACTIVE what keeps it visible: tasks,
open files and bind mounts. The counts of an initial namespace never move. IDs
are never used again, inode numbers are. An nsproxy is shared by all tasks that
were forked without asking for new namespaces: its count. Counts are told to root
of the initial user and pid namespace, ids of owners and parents to those who are
in them or above.

The exit status is 0, or 1 when the process cannot be looked at.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The process to look at, this one by default
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    target: Option<i32>,

    /// For programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: Args) -> Result<ExitCode> {
    let device = open::device()?;
    let file = args.target.map(|pid| {
        open::source(&Call {
            source: Source::Process(pid),
            kinds: Vec::new(),
        })
    });
    let file = file.transpose()?;
    let shown = device
        .show(file.as_ref().map(|file| file.as_fd()))
        .map_err(|errno| {
            let remedy = match errno {
                Errno::ACCESS => "; it takes what ptrace(2) takes, as for /proc/PID/ns",
                Errno::SRCH => "; the process has exited",
                Errno::NOTTY => "; the module that is loaded is older than this program",
                _ => "",
            };
            anyhow!("{} does not show it: {}{remedy}", Device::PATH, show(errno))
        })?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Document::of(&shown))?);
    } else {
        print!("{}", table(&shown));
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Document {
    /// `nsproxy->count`
    count: u32,
    namespaces: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    inode: u32,
    id: u64,
    owner: Option<u64>,
    parent: Option<u64>,
    ns_ref: u32,
    active: u32,
    constant: bool,
}

impl Document {
    fn of(shown: &Shown) -> Self {
        let row = |ns: &Namespace| Row {
            name: ns.member.name(),
            inode: ns.inum,
            id: ns.id,
            owner: ns.owner,
            parent: ns.parent,
            ns_ref: ns.ns_ref,
            active: ns.active,
            constant: ns.constant,
        };
        Self {
            count: shown.count,
            namespaces: shown.namespaces.iter().map(row).collect(),
        }
    }
}

fn table(shown: &Shown) -> String {
    let mut text = format!(
        "{:<17} {:>10} {:>6} {:>6} {:>6} {:>7} {:>7}\n",
        "NAMESPACE", "INODE", "ID", "OWNER", "PARENT", "NS_REF", "ACTIVE"
    );
    let or_dash = |id: Option<u64>| id.map_or("-".to_owned(), |id| id.to_string());
    let counted = |count: u32| or_dash((count != 0).then_some(count.into()));
    for ns in &shown.namespaces {
        let initial = if ns.constant { "  initial" } else { "" };
        let _ = writeln!(
            text,
            "{:<17} {:>10} {:>6} {:>6} {:>6} {:>7} {:>7}{initial}",
            ns.member.name(),
            ns.inum,
            ns.id,
            or_dash(ns.owner),
            or_dash(ns.parent),
            counted(ns.ns_ref),
            counted(ns.active),
        );
    }
    let _ = writeln!(text, "nsproxy: count {}", counted(shown.count));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Member;

    #[test]
    fn columns_are_below_their_names() {
        let text = table(&Shown {
            count: 3,
            namespaces: vec![Namespace {
                member: Member::PidForChildren,
                id: 12,
                owner: Some(1),
                parent: None,
                inum: 4_026_532_000,
                ns_ref: 4,
                active: 2,
                constant: false,
            }],
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
        assert!(
            lines[1].ends_with("     1      -       4       2"),
            "{text}"
        );
        assert_eq!(lines[2], "nsproxy: count 3");
    }
}
