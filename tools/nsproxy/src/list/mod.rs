// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy list`: the namespaces of the system, and the objects that hold them.

mod collector;
mod columns;
mod filter;
mod holders;
mod identity;
mod info;
mod json;
mod mountinfo;
mod mounts;
mod omitted;
mod open_files;
mod proc;
#[cfg(test)]
mod sample;
mod scan;
mod table;
mod tasks;
mod tree;
mod without_process;

pub use holders::Holder;
pub use identity::Identity;
pub(crate) use identity::open_nsfs;
pub use info::{NamespaceInfo, ProcessInfo, Related};
pub use scan::Scan;
pub(crate) use without_process::sees_all;

use crate::{caller::Caller, json::Versioned, status::ExitCode};
use anyhow::Result;
use filter::KindFilter;

const AFTER_HELP: &str = "\
Neither the module nor root is required. Namespaces that the
caller may not see are omitted, and a message says so.

ID is never reused and enters the namespace: -n=id:1234. It
requires Linux 6.18. OWNER is the id of the user namespace
that owns the namespace, or its inode number before. PROCS
counts processes, and PID and COMMAND are of the lowest pid.

HELD BY lists other holders:
  /run/netns/x           a bind mount
  pid 12 mount /x        a bind mount that process 12 sees
  pid 12 fd 5            an open file
  pid 12 thread 13       a thread, but not its process
  pid 12 for children    the next children of a process
  owner of 2             namespaces that it owns
  no process             no process or holder in /proc

Namespaces without a process or holder in /proc are found as
the owner or parent of another namespace, and by listns(2),
which requires Linux 6.19. Namespaces that only sockets hold
are never listed.

With --tree, a namespace is below the user namespace that
owns it, which has no column then. PARENT is that of a pid
or user namespace. Owners of listed kinds are always shown.

Example:
  nsproxy list -n
  nsproxy list --tree

Exit status:
  0  success, even if namespaces are omitted
  1  /proc cannot be read
  2  usage error";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    kinds: KindFilter,

    /// Print all holders of a namespace [default: 3]
    #[arg(short, long)]
    all: bool,

    /// Print each namespace below its owner
    #[arg(long, conflicts_with = "json")]
    tree: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let Scan {
        namespaces,
        hidden,
        listns,
    } = Scan::read()?;
    let is_listed = |info: &NamespaceInfo| args.kinds.contains(info.kind);
    let listed: Vec<_> = namespaces.iter().filter(|info| is_listed(info)).collect();
    if args.json {
        let document = json::Document::new(&listed, hidden, listns);
        println!("{}", Versioned::new(document).pretty());
    } else {
        let text = match args.tree {
            true => tree::tree(&namespaces, is_listed, args.all),
            false => table::table(&listed, args.all),
        };
        print!("{text}");
        for message in omitted::messages(hidden, listns, &Caller::current()) {
            eprintln!("nsproxy: {message}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
