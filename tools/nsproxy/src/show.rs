// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy show`: the namespaces of a task, their owners and counts.

use crate::{
    denied_access,
    errno::show,
    explainer::ViaArg,
    json::Versioned,
    lookup::{self, Known},
    open,
    refusal::hint_lines,
    status::ExitCode,
};
use anyhow::{Result, anyhow};
use nsproxy_diagnose::{AccessMode, Task};
use nsproxy_uapi::{Kind, Namespace, Shown};
use rustix::io::Errno;
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _, os::fd::AsFd as _};

const AFTER_HELP: &str = "\
NS_REF keeps a namespace in memory. ACTIVE keeps it visible:
it counts tasks, open files and bind mounts. Counts of
initial namespaces never change. IDs are never reused, inode
numbers are. The count of the nsproxy is the number of tasks
that share it, and of other references.

A dash hides a value that the caller may not know. Counts
require CAP_SYS_ADMIN in the initial user namespace, and the
initial pid namespace. The id of an owner or parent requires
a caller in it or above it. Owners and parents that the
target is not in are listed below the table.

Counts require the module as well.

Example:
  nsproxy show -t 1234

Exit status:
  0  success
  1  the process cannot be shown
  2  usage error";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Show this process or thread [default: nsproxy itself]
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    target: Option<i32>,

    #[command(flatten)]
    via: ViaArg,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: Args) -> Result<ExitCode> {
    let explainer = args.via.open(false)?;
    let file = args.target.map(open::process).transpose()?;
    let shown = explainer
        .show(file.as_ref().map(|file| file.as_fd()))
        .map_err(|errno| {
            let process = match args.target {
                Some(pid) => format!("process {pid}"),
                None => "this process".to_owned(),
            };
            let mut message = format!("cannot show {process}: {}", show(errno));
            let target = file.as_ref().and_then(|file| Task::of_pidfd(file).ok());
            message += &match (errno, target) {
                (Errno::ACCESS, Some(target)) => {
                    let (reason, hints) =
                        denied_access::describe(&Task::current(), &target, AccessMode::FsCreds);
                    format!("\nreason: {reason}{}", hint_lines(&hints))
                }
                (Errno::SRCH, _) => "\nreason: the process has exited, or is exiting".to_owned(),
                (Errno::NOTTY, _) => {
                    "\n  hint: load a newer module: it is older than this program".to_owned()
                }
                _ => String::new(),
            };
            anyhow!(message)
        })?;
    let elsewhere = elsewhere(&shown);
    if args.json {
        let document = Document::of(&shown, &elsewhere);
        println!("{}", Versioned::new(document).pretty());
    } else {
        print!("{}", table(&shown, &elsewhere));
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds the owners and parents that the target is not in, by their ids.
fn elsewhere(shown: &Shown) -> BTreeMap<u64, Known> {
    let owners = shown.namespaces.iter().map(|ns| (Kind::User, ns.owner));
    let parents = shown.namespaces.iter().map(|ns| (ns.kind(), ns.parent));
    let ids = owners.chain(parents);
    let is_shown = |id| shown.namespaces.iter().any(|ns| ns.id == id);
    let ids: BTreeMap<u64, Kind> = ids
        .filter_map(|(kind, id)| id.filter(|id| !is_shown(*id)).map(|id| (id, kind)))
        .collect();
    let known = |(id, kind)| Some((id, lookup::find(kind, id)?));
    ids.into_iter().filter_map(known).collect()
}

#[derive(Serialize)]
struct Document {
    /// `nsproxy->count`
    count: u32,
    namespaces: Vec<Row>,
    /// The owners and parents that the target is not in.
    elsewhere: Vec<Elsewhere>,
}

#[derive(Serialize)]
struct Elsewhere {
    id: u64,
    kind: &'static str,
    inode: u64,
    /// The lowest pid in it.
    process: u32,
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
    fn of(shown: &Shown, elsewhere: &BTreeMap<u64, Known>) -> Self {
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
            elsewhere: elsewhere
                .iter()
                .map(|(id, known)| Elsewhere {
                    id: *id,
                    kind: known.kind.name(),
                    inode: known.inode,
                    process: known.pid,
                })
                .collect(),
        }
    }
}

fn table(shown: &Shown, elsewhere: &BTreeMap<u64, Known>) -> String {
    // Inode numbers stand for ids on a kernel without ids, and are longer.
    let ids = shown
        .namespaces
        .iter()
        .flat_map(|ns| [Some(ns.id), ns.owner, ns.parent]);
    let longest = ids.flatten().map(|id| id.to_string().len()).max();
    let width = longest.unwrap_or(0).max(6);
    let mut text = format!(
        "{:<17} {:>10} {:>width$} {:>width$} {:>width$} {:>7} {:>7}\n",
        "NAMESPACE", "INODE", "ID", "OWNER", "PARENT", "NS_REF", "ACTIVE"
    );
    let or_dash = |id: Option<u64>| id.map_or("-".to_owned(), |id| id.to_string());
    let counted = |count: u32| or_dash((count != 0).then_some(count.into()));
    for ns in &shown.namespaces {
        let initial = if ns.constant { "  initial" } else { "" };
        let _ = writeln!(
            text,
            "{:<17} {:>10} {:>width$} {:>width$} {:>width$} {:>7} {:>7}{initial}",
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
    for (id, known) in elsewhere {
        let _ = writeln!(text, "elsewhere: id {id} is {known}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsproxy_uapi::Member;

    /// Returns a task in one namespace, with this id and owner.
    fn shown(id: u64, owner: u64) -> Shown {
        Shown {
            count: 3,
            namespaces: vec![Namespace {
                member: Member::PidForChildren,
                id,
                owner: Some(owner),
                parent: None,
                inum: 4_026_532_000,
                ns_ref: 4,
                active: 2,
                constant: false,
            }],
        }
    }

    #[test]
    fn inode_numbers_fit_where_the_kernel_has_no_ids() {
        let text = table(&shown(4_026_532_000, 4_026_531_837), &BTreeMap::new());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
    }

    #[test]
    fn columns_are_below_their_names() {
        let shown = shown(12, 1);
        let owner = Known {
            kind: Kind::User,
            inode: 4_026_531_837,
            pid: 7,
        };
        let text = table(&shown, &BTreeMap::from([(1, owner)]));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
        assert!(
            lines[1].ends_with("     1      -       4       2"),
            "{text}"
        );
        assert_eq!(lines[2], "nsproxy: count 3");
        assert_eq!(lines[3], "elsewhere: id 1 is user:[4026531837], process 7");
    }
}
