// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy diff`: the same calls by setns(2) and by the module, side by side.

use crate::{
    errno, open,
    plan::Plan,
    status::ExitCode,
    target_args::{self, TargetArgs},
};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::{Implementation, Member, setns_raw};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    io::Read as _,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    process::Command,
};

const AFTER_HELP: &str = "\
The calls are made twice, each time by a process of its own that looks at itself
before and after, and ends. Shown is what has changed for one of them. For the
reason of a refusal see nsproxy explain.

The exit status is 0 when both are the same, 1 when not, 2 for a mistake in the
options.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target_args: TargetArgs,

    /// Be one of the two processes
    #[arg(long, value_parser = target_args::implementation(), hide = true)]
    side: Option<Implementation>,
}

/// What one of the two came to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ran {
    /// `0`, or the errno of the call that failed.
    result: String,
    before: Seen,
    after: Seen,
}

/// What a process sees of itself.
type Seen = BTreeMap<String, String>;

pub(crate) fn main(mut args: Args) -> Result<ExitCode> {
    // This process is the first of three to open the files and the device, and reports errors.
    let plan = args.target_args.plan()?;
    if args.target_args.as_of_2011 {
        return Err(target_args::usage("--2011: today's setns(2) has no such path").into());
    }
    let device = open::device()?;
    match args.side {
        Some(side) => {
            let setns = |fd, nstype| match side {
                Implementation::Kernel => setns_raw(fd, nstype),
                Implementation::Module => device.setns_raw(fd, nstype),
            };
            println!("{}", serde_json::to_string(&run(setns, &plan)?)?);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            args.target_args.report_nothing();
            let [left, right] = Implementation::ALL.map(have_run);
            let (left, right) = (left?, right?);
            print!("{}", table(&left, &right));
            Ok(if left == right {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// Starts a process that is one of the two.
fn have_run(side: Implementation) -> Result<Ran> {
    let name = match side {
        Implementation::Kernel => "syscall",
        Implementation::Module => "device",
    };
    let mut arguments = env::args_os().skip(2);
    let output = Command::new("/proc/self/exe")
        .args(["diff", "--side", name])
        .args(&mut arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start a process of our own")?;
    if !output.status.success() {
        bail!(
            "the process that was to call by {name} failed: {}",
            output.status
        );
    }
    serde_json::from_slice(&output.stdout).context("an odd answer of a process of our own")
}

/// Makes the calls, and looks.
fn run(setns: impl Fn(i32, i32) -> Result<(), Errno>, plan: &Plan) -> Result<Ran> {
    // Stays at hand whatever the root is afterwards.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).context("cannot open /proc")?;
    let before = look(&proc)?;
    let refused =
        plan.execute(|turn| Ok(setns(turn.file.as_raw_fd(), turn.call.nstype() as i32).err()))?;
    Ok(Ran {
        result: refused.map_or_else(|| "0".to_owned(), |(_, errno)| errno::word(errno)),
        before,
        after: look(&proc)?,
    })
}

fn look(proc: &OwnedFd) -> Result<Seen> {
    let mut seen = Seen::new();
    for member in Member::ALL {
        let name = member.name();
        let link = rustix::fs::readlinkat(proc, format!("self/ns/{name}"), Vec::new());
        let link = match link {
            Ok(link) => link.to_string_lossy().into_owned(),
            Err(Errno::NOENT) => continue,
            Err(errno) => bail!("cannot read /proc/self/ns/{name}: {errno}"),
        };
        seen.insert(format!("ns/{name}"), link);
    }
    for name in ["root", "cwd"] {
        let path = format!("self/{name}");
        let stat = rustix::fs::statat(proc, path, rustix::fs::AtFlags::empty())?;
        seen.insert(
            name.to_owned(),
            format!("{:x}:{}", stat.st_dev, stat.st_ino),
        );
    }
    for line in read(proc, "self/status")?.lines() {
        if let Some((name, value)) = line.split_once(':')
            && (name.starts_with("Cap") || name == "Uid" || name == "Gid")
        {
            let words: Vec<_> = value.split_whitespace().collect();
            seen.insert(name.to_owned(), words.join(" "));
        }
    }
    for name in ["uid_map", "cgroup"] {
        let lines = read(proc, &format!("self/{name}"))?;
        let words: Vec<_> = lines.split_whitespace().collect();
        seen.insert(name.to_owned(), words.join(" "));
    }
    let name = rustix::system::uname();
    let host = name.nodename().to_string_lossy().into_owned();
    seen.insert("host name".to_owned(), host);
    Ok(seen)
}

fn read(proc: impl AsFd, path: &str) -> Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc, path, flags, Mode::empty())
        .with_context(|| format!("cannot open /proc/{path}"))?;
    let mut text = String::new();
    std::fs::File::from(file).read_to_string(&mut text)?;
    Ok(text)
}

/// What has changed for one of them, and whether it has for the other.
fn table(left: &Ran, right: &Ran) -> String {
    let mut rows = vec![[
        String::new(),
        "before".to_owned(),
        "setns(2)".to_owned(),
        "/dev/nsproxy".to_owned(),
    ]];
    rows.push([
        "result".to_owned(),
        String::new(),
        left.result.clone(),
        right.result.clone(),
    ]);
    let names: BTreeSet<_> = left.after.keys().chain(right.after.keys()).collect();
    let of = |seen: &Seen, name| seen.get(name).cloned().unwrap_or_default();
    for name in names {
        let row = [
            name.clone(),
            of(&left.before, name),
            of(&left.after, name),
            of(&right.after, name),
        ];
        if row[1] != row[2] || row[2] != row[3] || of(&right.before, name) != row[1] {
            rows.push(row);
        }
    }
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, before, left, right] in &rows {
        let mark = if left == right || name.is_empty() {
            ""
        } else {
            "  <- differs"
        };
        let line = format!(
            "{name:<0$}  {before:<1$}  {left:<2$}  {right}{mark}",
            widths[0], widths[1], widths[2]
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text += if left == right {
        "Both did the same.\n"
    } else {
        "They did not do the same.\n"
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(result: &str, before: &str, after: &str) -> Ran {
        let seen = |uts: &str| Seen::from([("ns/uts".to_owned(), uts.to_owned())]);
        Ran {
            result: result.to_owned(),
            before: seen(before),
            after: seen(after),
        }
    }

    #[test]
    fn what_stays_is_not_shown() {
        let text = table(
            &ran("EPERM", "uts:[1]", "uts:[1]"),
            &ran("EPERM", "uts:[1]", "uts:[1]"),
        );
        assert!(!text.contains("ns/uts"), "{text}");
        assert!(text.ends_with("Both did the same.\n"), "{text}");
    }

    #[test]
    fn what_differs_is_marked() {
        let text = table(
            &ran("0", "uts:[1]", "uts:[2]"),
            &ran("0", "uts:[1]", "uts:[1]"),
        );
        let line = text
            .lines()
            .find(|line| line.starts_with("ns/uts"))
            .unwrap();
        assert_eq!(line, "ns/uts  uts:[1]  uts:[2]   uts:[1]  <- differs");
        assert!(text.ends_with("not do the same.\n"), "{text}");
    }

    #[test]
    fn a_process_sees_itself() {
        let proc = OwnedFd::from(std::fs::File::open("/proc").unwrap());
        let seen = look(&proc).unwrap();
        assert!(seen["ns/uts"].starts_with("uts:["), "{seen:?}");
        assert!(
            seen.contains_key("CapEff") && seen.contains_key("root"),
            "{seen:?}"
        );
    }
}
