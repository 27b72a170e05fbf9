// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy trace`: a call, step by step.

mod function;
mod json;
#[cfg(test)]
mod samples;
mod tree;

use crate::{
    asked::{self, Asked},
    explain, open, page,
    plan::{self, Call},
    status::ExitCode,
};
use anyhow::{Context as _, Result};
use nsproxy_uapi::{Explain, Journal, Refusal};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::fd::AsFd as _,
    path::PathBuf,
};

const AFTER_HELP: &str = "\
The calls are made, by this process, which ends when all is shown; with
--dry-run each ends at the point of no return, and is released. What is printed
is what each step did: the counts of the namespaces and of the nsproxy, read
before and after it by the module. What others did to them meanwhile shows, too.

The exit status is 0 when all calls succeed, 1 when one does not, 2 for a
mistake in the options.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,

    /// Change nothing
    #[arg(long)]
    dry_run: bool,

    /// For programs
    #[arg(long)]
    json: bool,

    /// Write a page as well, to go through the steps in a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A call that was made, and what it did.
struct Traced<'a> {
    call: &'a Call,
    how: Explain,
    refusal: Option<Refusal>,
    journal: Journal,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let calls = match args.asked.calls()? {
        Ok(calls) => calls,
        Err(message) => return Ok(asked::usage("trace", &message)),
    };
    let device = open::device()?;
    // Before the calls: after them the name may be that of another file. What is in it stays until
    // there is something else to write.
    let cannot_write = |path: &PathBuf| format!("cannot write {}", path.display());
    let html = match &args.html {
        Some(path) => {
            let mut open = OpenOptions::new();
            let file = open.write(true).create(true).truncate(false).open(path);
            Some((path, file.with_context(|| cannot_write(path))?))
        }
        None => None,
    };
    let files = calls.iter().map(open::source).collect::<Result<Vec<_>>>()?;
    let how = Explain {
        dry_run: args.dry_run,
        as_of_2011: args.asked.as_of_2011,
    };

    let mut traced = Vec::new();
    let mut silent = None;
    let result = plan::make(&calls, |index| {
        let call = &calls[index];
        match explain::trace(&device, call, files[index].as_fd(), how) {
            Ok((refusal, journal)) => {
                traced.push(Traced {
                    call,
                    how,
                    refusal,
                    journal,
                });
                refusal.map_or(Ok(()), |_| Err(()))
            }
            Err(error) => {
                silent.get_or_insert(error);
                Err(())
            }
        }
    });
    if let Some(error) = silent {
        return Err(error);
    }

    let document = json::Document::of(&traced).text();
    if let Some((path, file)) = html {
        replace(&file, &page::page(&document)).with_context(|| cannot_write(path))?;
    }
    if args.json {
        println!("{document}");
    } else {
        let trees: Vec<_> = traced.iter().map(tree::tree).collect();
        anstream::print!("{}", trees.join("\n"));
    }
    Ok(if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes `text` instead of what is in `file`, which may also be a pipe, or a terminal.
fn replace(mut file: &File, text: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}
