// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy check`: would it work? For scripts.

use crate::{
    asked::{self, Asked},
    errno, explain, open,
    status::ExitCode,
};
use anyhow::Result;
use nsproxy_uapi::Explain;
use rustix::io::Errno;
use std::os::fd::AsFd as _;

const AFTER_HELP: &str = "\
Each call is made as far as it can fail, and released: nothing changes. For the
first one that would not succeed a line is printed: the errno, and the name of
the check that refuses, which stays the same from version to version; what it
means says nsproxy explain.

The exit status is 0 when all calls would succeed, 1 when nobody can say, 2 for
a mistake in the options; for want of rights (EPERM) 3, for what cannot be from
where we are (EINVAL, EUSERS) 4, for a process or a file that is not there
(ESRCH, EBADF) 5, for all other errors 6.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    let calls = match args.asked.calls()? {
        Ok(calls) => calls,
        Err(message) => return Ok(asked::usage("check", &message)),
    };
    let device = open::device()?;
    let how = Explain::dry_run(args.asked.as_of_2011);
    for call in &calls {
        let file = open::source(call)?;
        if let Some(refusal) = explain::ask(&device, call, file.as_fd(), how)? {
            println!("{} {}", errno::word(refusal.errno), refusal.reason.name());
            return Ok(ExitCode::from(class(refusal.errno)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit status that stands for it.
fn class(errno: Errno) -> u8 {
    match errno {
        Errno::PERM => 3,
        Errno::INVAL | Errno::USERS => 4,
        Errno::SRCH | Errno::BADF => 5,
        _ => 6,
    }
}
