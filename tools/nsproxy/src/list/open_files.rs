// SPDX-License-Identifier: GPL-2.0-only

//! Finds the namespaces that processes have open, by `/proc/PID/fd`.

use super::{
    collector::Collector, holders::Holder, identity::Identity, proc::numbers, tasks::Process,
};
use std::{fs, path::PathBuf};

/// Adds the namespaces that processes have open. This process, which opens them itself, is left out.
///
/// Threads with a table of descriptors of their own are not searched.
pub(super) fn collect(collector: &mut Collector, processes: &[Process]) {
    let own = std::process::id();
    for &Process { pid, .. } in processes.iter().filter(|process| process.pid != own) {
        let directory = format!("/proc/{pid}/fd");
        for fd in numbers(&directory).unwrap_or_default() {
            let path = || PathBuf::from(format!("{directory}/{fd}"));
            let link = fs::read_link(path()).ok();
            if let Some(identity) = link.and_then(|link| Identity::parse(link.as_os_str())) {
                let info = collector.at(identity, path);
                info.holders.push(Holder::File { pid, fd });
            }
        }
    }
}
