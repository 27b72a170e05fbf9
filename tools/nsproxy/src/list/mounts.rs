// SPDX-License-Identifier: GPL-2.0-only

//! Finds the bind mounts of namespaces in all mount namespaces.

use super::{collector::Collector, holders::Holder, mountinfo, tasks::Process};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Adds the bind mounts of namespaces that processes see, those of the caller first.
pub(super) fn collect(collector: &mut Collector, processes: &[Process]) {
    let mut mount_ids = BTreeSet::new();
    add(collector, &mut mount_ids, None);
    // Processes in the same mount namespace see different mounts if their root directories differ.
    let mut views = BTreeSet::new();
    for process in processes {
        let Some(mnt) = process.mnt else { continue };
        let root = fs::read_link(format!("/proc/{}/root", process.pid)).ok();
        if views.insert((mnt, root)) {
            add(collector, &mut mount_ids, Some(process.pid));
        }
    }
}

/// Adds the bind mounts that a process sees, or the caller, unless they are in `mount_ids`.
fn add(collector: &mut Collector, mount_ids: &mut BTreeSet<u64>, pid: Option<u32>) {
    let directory = match pid {
        Some(pid) => format!("/proc/{pid}"),
        None => "/proc/self".to_owned(),
    };
    // The process may have exited meanwhile.
    let mounts = fs::read(format!("{directory}/mountinfo")).unwrap_or_default();
    for mount in mountinfo::parse(&mounts) {
        if !mount_ids.insert(mount.mount_id) {
            continue;
        }
        let path = || match pid {
            Some(_) => below(&directory, &mount.path),
            None => mount.path.clone(),
        };
        let info = collector.at(mount.namespace, path);
        info.holders.push(Holder::Mount {
            path: mount.path,
            pid,
        });
    }
}

/// Returns the path of a file below the root directory of a process.
fn below(directory: &str, path: &Path) -> PathBuf {
    let relative = path.strip_prefix("/").unwrap_or(path);
    Path::new(directory).join("root").join(relative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_other_processes_begin_with_their_root() {
        let path = below("/proc/7", Path::new("/run/netns/blue"));
        assert_eq!(path, Path::new("/proc/7/root/run/netns/blue"));
    }
}
