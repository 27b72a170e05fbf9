// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy diff`: compares the same calls by setns(2) and by the module.

use crate::{
    attributes::{self, Attributes},
    errno,
    json::Versioned,
    open,
    plan::Plan,
    status::ExitCode,
    target_args::{self, TargetArgs},
};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::{Implementation, setns_raw};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, env, fmt::Write as _, os::fd::AsRawFd as _, process::Command};

const AFTER_HELP: &str = "\
Two processes make the calls: one by setns(2), the other
through the module. Each reads its own state before and
after, and exits. The table shows what changed for either:
names and values first, then namespaces and numbers.
nsproxy explain gives the reason of a refusal.

Example:
  nsproxy diff -t 1234 -U -n

Exit status:
  0  both have the same effect
  1  the effects differ, or a process failed
  2  usage error";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Be the process that calls this implementation
    #[arg(long, value_parser = target_args::implementation(), hide = true)]
    via: Option<Implementation>,
}

/// The result and the effect of the calls of one process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Effect {
    /// `0`, or the errno of the call that failed.
    result: String,
    before: Attributes,
    after: Attributes,
}

/// The document that `--json` prints.
#[derive(Serialize)]
struct Document {
    same: bool,
    kernel: Effect,
    module: Effect,
}

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    // The two processes open the files and the device again. This one reports errors only once.
    let plan = args.target_args.plan()?;
    if args.target_args.as_of_2011 {
        return Err(target_args::usage("--2011: today's setns(2) has no such path").into());
    }
    let device = open::device()?;
    match args.via {
        Some(implementation) => {
            let setns = |fd, nstype| match implementation {
                Implementation::Kernel => setns_raw(fd, nstype),
                Implementation::Module => device.setns_raw(fd, nstype),
            };
            println!("{}", serde_json::to_string(&run(setns, &plan)?)?);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            args.target_args.report_nothing();
            let [kernel, module] = Implementation::ALL.map(spawn);
            let (kernel, module) = (kernel?, module?);
            let is_same = kernel == module;
            if args.json {
                let document = Document {
                    same: is_same,
                    kernel,
                    module,
                };
                println!("{}", Versioned::new(document).pretty());
            } else {
                print!("{}", table(&kernel, &module));
            }
            Ok(if is_same {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// Starts a process that makes the calls, and returns their effect.
fn spawn(implementation: Implementation) -> Result<Effect> {
    let name = match implementation {
        Implementation::Kernel => "syscall",
        Implementation::Module => "device",
    };
    let mut arguments = env::args_os().skip(2);
    let output = Command::new("/proc/self/exe")
        .args(["diff", "--via", name])
        .args(&mut arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start nsproxy diff --via {name}"))?;
    if !output.status.success() {
        bail!("nsproxy diff --via {name} failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("unexpected output of nsproxy diff --via {name}"))
}

/// Makes the calls, and reads the attributes of this process before and after.
fn run(setns: impl Fn(i32, i32) -> Result<(), Errno>, plan: &Plan) -> Result<Effect> {
    // Stays open when a call changes the root directory.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).context("cannot open /proc")?;
    let before = attributes::read(&proc)?;
    let refused =
        plan.execute(|turn| Ok(setns(turn.file.as_raw_fd(), turn.call.nstype() as i32).err()))?;
    Ok(Effect {
        result: refused.map_or_else(|| "0".to_owned(), |(_, errno)| errno::word(errno)),
        before,
        after: attributes::read(&proc)?,
    })
}

/// Formats the attributes that changed for either process, and marks those that differ.
fn table(kernel: &Effect, module: &Effect) -> String {
    let mut rows = vec![[
        String::new(),
        "before".to_owned(),
        "setns(2)".to_owned(),
        "/dev/nsproxy".to_owned(),
    ]];
    rows.push([
        "result".to_owned(),
        String::new(),
        kernel.result.clone(),
        module.result.clone(),
    ]);
    let names: BTreeSet<_> = kernel.after.keys().chain(module.after.keys()).collect();
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| attributes::position(name));
    let of = |attributes: &Attributes, name| attributes.get(name).cloned().unwrap_or_default();
    for name in names {
        let row = [
            name.clone(),
            of(&kernel.before, name),
            of(&kernel.after, name),
            of(&module.after, name),
        ];
        if row[1] != row[2] || row[2] != row[3] || of(&module.before, name) != row[1] {
            rows.push(row);
        }
    }
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, before, by_kernel, by_module] in &rows {
        let mark = if by_kernel == by_module || name.is_empty() {
            ""
        } else {
            "  <- differs"
        };
        let line = format!(
            "{name:<0$}  {before:<1$}  {by_kernel:<2$}  {by_module}{mark}",
            widths[0], widths[1], widths[2]
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text += if kernel == module {
        "same effect\n"
    } else {
        "different effects\n"
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(result: &str, before: &str, after: &str) -> Effect {
        let attributes = |uts: &str| Attributes::from([("ns/uts".to_owned(), uts.to_owned())]);
        Effect {
            result: result.to_owned(),
            before: attributes(before),
            after: attributes(after),
        }
    }

    #[test]
    fn unchanged_attributes_are_not_shown() {
        let text = table(
            &effect("EPERM", "uts:[1]", "uts:[1]"),
            &effect("EPERM", "uts:[1]", "uts:[1]"),
        );
        assert!(!text.contains("ns/uts"), "{text}");
        assert!(text.ends_with("same effect\n"), "{text}");
    }

    #[test]
    fn differences_are_marked() {
        let text = table(
            &effect("0", "uts:[1]", "uts:[2]"),
            &effect("0", "uts:[1]", "uts:[1]"),
        );
        let line = text
            .lines()
            .find(|line| line.starts_with("ns/uts"))
            .unwrap();
        assert_eq!(line, "ns/uts  uts:[1]  uts:[2]   uts:[1]  <- differs");
        assert!(text.ends_with("different effects\n"), "{text}");
    }

    #[test]
    fn values_of_users_come_before_links() {
        let attributes = |host: &str, uts: &str| {
            let [host, uts] = [("host name", host), ("ns/uts", uts)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            Attributes::from([uts, host])
        };
        let effect = Effect {
            result: "0".to_owned(),
            before: attributes("guest", "uts:[1]"),
            after: attributes("target", "uts:[2]"),
        };
        let expected = "
           before   setns(2)  /dev/nsproxy
result              0         0
host name  guest    target    target
ns/uts     uts:[1]  uts:[2]   uts:[2]
same effect
";
        assert_eq!(table(&effect, &effect), expected.trim_start_matches('\n'));
    }
}
