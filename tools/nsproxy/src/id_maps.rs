// SPDX-License-Identifier: GPL-2.0-only

//! The maps of a new user namespace, as in unshare(1).

use anyhow::{Context as _, Result, ensure};
use rustix::process::{getegid, geteuid, getpid, getuid};
use std::{
    fmt, fs,
    io::{self, Write as _},
    process::{Child, Command, Stdio},
};

#[derive(Debug, clap::Args)]
pub(crate) struct MapArgs {
    /// Map the caller's user and group to root; implies -U
    #[arg(short = 'r', long, conflicts_with = "map_current_user")]
    map_root_user: bool,

    /// Map the caller's user and group to themselves; implies -U
    #[arg(short = 'c', long)]
    map_current_user: bool,

    /// Map the ids in /etc/subuid and subgid; implies -U
    #[arg(long)]
    map_auto: bool,
}

/// A range of ids: the first one inside of the user namespace and outside, and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

/// The maps to write once the user namespace exists.
#[derive(Default)]
pub(crate) struct Maps {
    /// One user and one group, which the process in the user namespace may map by itself.
    own: Option<[Range; 2]>,
    /// Maps several ranges, which only a process outside of the user namespace may do: it waits for
    /// a line, and then does so.
    helper: Option<Child>,
}

impl MapArgs {
    /// Returns whether an option needs a new user namespace.
    pub(crate) fn need_user_ns(&self) -> bool {
        self.map_root_user || self.map_current_user || self.map_auto
    }

    /// Prepares the maps, before the user namespace exists.
    ///
    /// # Errors
    ///
    /// With `--map-auto`: no ranges for the user, or no program to map them.
    pub(crate) fn prepare(&self) -> Result<Maps> {
        let own = [geteuid().as_raw(), getegid().as_raw()].map(|outside| Range {
            inside: if self.map_current_user { outside } else { 0 },
            outside,
            count: 1,
        });
        if !self.map_auto {
            return Ok(Maps {
                own: self.need_user_ns().then_some(own),
                helper: None,
            });
        }
        let mut maps = Vec::new();
        for (file, own) in ["/etc/subuid", "/etc/subgid"].into_iter().zip(own) {
            let text = match fs::read_to_string(file) {
                // Without the file no user has ids.
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                text => text.with_context(|| format!("--map-auto: {file}"))?,
            };
            let names = [
                user_name().unwrap_or_default(),
                getuid().as_raw().to_string(),
            ];
            let (outside, count) = subordinate(&text, &names).with_context(|| {
                let option = file.replace("/etc/", "--add-");
                format!(
                    "--map-auto: no ids for this user in {file}\n  \
                     hint: usermod {option}s 100000-165535 USER, as root"
                )
            })?;
            let auto = Range {
                inside: u32::from(self.map_root_user),
                outside,
                count,
            };
            let ranges = match self.map_root_user || self.map_current_user {
                true => vec![own, auto],
                false => vec![auto],
            };
            maps.push(ranges);
        }
        Ok(Maps {
            own: None,
            helper: Some(start_helper(&maps)?),
        })
    }
}

/// Starts the program that writes the maps of this process, users first.
fn start_helper(maps: &[Vec<Range>]) -> Result<Child> {
    let pid = getpid();
    let mut script = "read -r go".to_owned();
    for (id, ranges) in ["uid", "gid"].into_iter().zip(maps) {
        let ranges: Vec<_> = ranges.iter().map(Range::to_string).collect();
        script += &if geteuid().is_root() {
            // In one write, as the kernel requires.
            format!(
                " && printf '{}\\n' >/proc/{pid}/{id}_map",
                ranges.join("\\n")
            )
        } else {
            format!(" && new{id}map {pid} {}", ranges.join(" "))
        };
    }
    Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .context("--map-auto: /bin/sh")
}

impl Maps {
    /// Writes the maps of the user namespace that this process has just created.
    ///
    /// # Errors
    ///
    /// The maps cannot be written.
    pub(crate) fn write(self) -> Result<()> {
        if let Some(maps) = self.own {
            // Required of users without privileges, who could otherwise drop a group that denies
            // them access.
            let _ = fs::write("/proc/self/setgroups", "deny");
            for (id, range) in ["uid", "gid"].into_iter().zip(maps) {
                let path = format!("/proc/self/{id}_map");
                fs::write(&path, range.to_string()).context(path)?;
            }
        }
        if let Some(mut helper) = self.helper {
            let mut stdin = helper.stdin.take().context("no pipe to the helper")?;
            stdin.write_all(b"go\n")?;
            ensure!(
                helper.wait()?.success(),
                "--map-auto: the ids cannot be mapped\n  hint: install newuidmap (package uidmap)"
            );
        }
        Ok(())
    }
}

/// Returns the name of this user in `/etc/passwd`.
fn user_name() -> Option<String> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let uid = getuid().as_raw().to_string();
    let mut lines = text.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// Returns the first id and the number of ids of a user, from the text of `/etc/subuid`.
fn subordinate(text: &str, names: &[String]) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        names.iter().any(|known| known == name).then_some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_and_by_number() {
        let text = "alice:100000:65536\n1000:200000:10\nodd\n";
        let find = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            subordinate(text, &names)
        };
        assert_eq!(find(&["alice", "7"]), Some((100_000, 65_536)));
        assert_eq!(find(&["bob", "1000"]), Some((200_000, 10)));
        assert_eq!(find(&["bob", "odd"]), None);
    }

    #[test]
    fn maps_need_a_user_namespace() {
        let args = |map_root_user, map_auto| MapArgs {
            map_root_user,
            map_current_user: false,
            map_auto,
        };
        assert!(!args(false, false).need_user_ns());
        assert!(args(true, false).need_user_ns());
        assert!(args(false, true).need_user_ns());
        let maps = args(true, false).prepare().unwrap();
        let [uid, _] = maps.own.unwrap();
        assert_eq!(uid.to_string(), format!("0 {} 1", geteuid().as_raw()));
        assert!(args(false, false).prepare().unwrap().own.is_none());
    }
}
