// SPDX-License-Identifier: GPL-2.0-only

//! The attributes of a process that depend on its namespaces, for `nsproxy diff`.

use crate::proc_text::{clock_offsets, interfaces, one_line, root_mount};
use anyhow::{Context as _, Result, bail};
use nsproxy_uapi::Member;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    os::fd::{AsFd, OwnedFd},
};

/// Attributes of a process, by name.
pub(crate) type Attributes = BTreeMap<String, String>;

/// The attributes that users know, in the order of their kinds. They precede links and numbers.
const KNOWN_TO_USERS: [&str; 10] = [
    "uid_map",
    "gid_map",
    "mounts",
    "root mount",
    "directory",
    "host name",
    "ipc objects",
    "cgroup",
    "interfaces",
    "clock offsets",
];

/// The files below `/proc/self` whose text is an attribute of that name.
const FILES: [&str; 3] = ["uid_map", "gid_map", "cgroup"];

/// Returns the position of an attribute among others.
pub(crate) fn position(name: &str) -> (usize, &str) {
    let known = KNOWN_TO_USERS.iter().position(|known| *known == name);
    (known.unwrap_or(KNOWN_TO_USERS.len()), name)
}

/// Reads the attributes of this process in `proc`.
///
/// # Errors
///
/// A file cannot be read that every kernel has.
pub(crate) fn read(proc: &OwnedFd) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    let mut add = |name: &str, value: String| {
        attributes.insert(name.to_owned(), value);
    };
    for member in Member::ALL {
        let name = member.name();
        let link = rustix::fs::readlinkat(proc, format!("self/ns/{name}"), Vec::new());
        let link = match link {
            Ok(link) => link.to_string_lossy().into_owned(),
            Err(Errno::NOENT) => continue,
            Err(errno) => bail!("cannot read /proc/self/ns/{name}: {errno}"),
        };
        add(&format!("ns/{name}"), link);
    }
    for name in ["root", "cwd"] {
        let path = format!("self/{name}");
        let stat = rustix::fs::statat(proc, path, rustix::fs::AtFlags::empty())?;
        add(name, format!("{:x}:{}", stat.st_dev, stat.st_ino));
    }
    for line in text(proc, "self/status")?.lines() {
        if let Some((name, value)) = line.split_once(':')
            && (name.starts_with("Cap") || name == "Uid" || name == "Gid")
        {
            add(name, one_line(value));
        }
    }
    for name in FILES {
        add(name, one_line(&text(proc, &format!("self/{name}"))?));
    }
    let mounts = text(proc, "self/mountinfo")?;
    add("mounts", mounts.lines().count().to_string());
    add("root mount", root_mount(&mounts).unwrap_or_default());
    // The path names a directory of the caller's root.
    if let Ok(path) = rustix::fs::readlinkat(proc, "self/cwd", Vec::new()) {
        add("directory", path.to_string_lossy().into_owned());
    }
    let uname = rustix::system::uname();
    add("host name", uname.nodename().to_string_lossy().into_owned());
    // The kernel may have neither of these files.
    if let Some(objects) = ipc_objects(proc) {
        add("ipc objects", objects);
    }
    if let Ok(devices) = text(proc, "self/net/dev") {
        add("interfaces", interfaces(&devices));
    }
    if let Ok(offsets) = text(proc, "self/timens_offsets") {
        add("clock offsets", clock_offsets(&offsets));
    }
    Ok(attributes)
}

/// Returns the numbers of SysV objects in the ipc namespace of this process.
fn ipc_objects(proc: &OwnedFd) -> Option<String> {
    let count = |file: &str| {
        let table = text(proc, &format!("sysvipc/{file}")).ok()?;
        // The first line has the names of the columns.
        Some(format!("{file} {}", table.lines().skip(1).count()))
    };
    let counts: Option<Vec<_>> = ["msg", "sem", "shm"].into_iter().map(count).collect();
    Some(counts?.join(", "))
}

fn text(proc: impl AsFd, path: &str) -> Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc, path, flags, Mode::empty())
        .with_context(|| format!("cannot open /proc/{path}"))?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_this_process() {
        let proc = OwnedFd::from(File::open("/proc").unwrap());
        let attributes = read(&proc).unwrap();
        assert!(attributes["ns/uts"].starts_with("uts:["), "{attributes:?}");
        assert!(
            attributes.contains_key("CapEff") && attributes.contains_key("root"),
            "{attributes:?}"
        );
        let directory = std::env::current_dir().unwrap();
        assert_eq!(attributes["directory"], directory.display().to_string());
        assert_ne!(attributes["mounts"], "0");
        let interfaces: Vec<_> = attributes["interfaces"].split(' ').collect();
        assert!(interfaces.contains(&"lo"), "{attributes:?}");
    }

    #[test]
    fn every_attribute_of_users_is_read_on_this_kernel() {
        let proc = OwnedFd::from(File::open("/proc").unwrap());
        let attributes = read(&proc).unwrap();
        for name in KNOWN_TO_USERS {
            assert!(attributes.contains_key(name), "{name}: {attributes:?}");
        }
    }

    #[test]
    fn attributes_of_users_come_first() {
        let mut names = ["CapEff", "ns/uts", "mounts", "host name", "uid_map"];
        names.sort_by_key(|name| position(name));
        assert_eq!(
            names,
            ["uid_map", "mounts", "host name", "CapEff", "ns/uts"]
        );
    }
}
