// SPDX-License-Identifier: GPL-2.0-only

//! Scans the system for namespaces.

use super::{
    collector::Collector,
    info::{NamespaceInfo, ProcessInfo},
    mounts, open_files, tasks,
    without_process::{self, Listns},
};
use anyhow::Result;
use std::{fs, os::unix::fs::MetadataExt as _};

/// The namespaces of the system, as far as the caller may see them.
#[derive(Debug)]
pub struct Scan {
    /// The namespaces, in the order of their kinds and ids.
    pub namespaces: Vec<NamespaceInfo>,
    /// The number of processes that the caller may not access.
    pub(super) hidden: usize,
    pub(super) listns: Listns,
}

impl Scan {
    /// Scans the system.
    ///
    /// # Errors
    ///
    /// `/proc` cannot be read.
    pub fn read() -> Result<Self> {
        let (listed, listns) = without_process::list();
        let mut collector = Collector::default();
        let processes = tasks::collect(&mut collector)?;
        mounts::collect(&mut collector, &processes.accessible);
        open_files::collect(&mut collector, &processes.accessible);
        without_process::collect(&mut collector, &listed);
        let mut namespaces = collector.finish();
        for info in &mut namespaces {
            info.first = info.processes.first().and_then(|pid| process(*pid));
        }
        Ok(Self {
            namespaces,
            hidden: processes.hidden,
            listns,
        })
    }
}

/// Reads the user and the name of a process.
fn process(pid: u32) -> Option<ProcessInfo> {
    let directory = format!("/proc/{pid}");
    let comm = fs::read(format!("{directory}/comm")).ok()?;
    Some(ProcessInfo {
        uid: fs::metadata(directory).ok()?.uid(),
        command: String::from_utf8_lossy(&comm)
            .trim_end_matches('\n')
            .to_owned(),
    })
}
