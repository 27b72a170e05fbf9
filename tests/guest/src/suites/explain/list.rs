// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy list` finds each namespace with the objects that hold it, and a namespace can be entered
//! by the id that is listed.

use crate::{
    case::{
        fd_source::open_ns,
        fixtures::Fixtures,
        implementation::Kind,
        target::{Target, TargetProcess},
    },
    env::kernel::Feature,
    process::{channel::Channel, setup::Setup},
    report::ktap::Test,
    suites::hints::{shell, text},
    sys::nsfs,
};
use anyhow::{Context as _, Result, ensure};
use rustix::{
    fs::fstat,
    mount::{UnmountFlags, mount_bind, unmount},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new("nsproxy list: held by a process", by_process),
        Test::new("nsproxy list: held by a bind mount", by_mount),
        Test::new("nsproxy list: held by an open file", by_file),
        Test::new("nsproxy list: held by nothing in proc", by_nothing_in_proc),
        Test::new("nsproxy list: an id enters the namespace", enter_by_id),
    ]
}

/// The document of `nsproxy list --json`, as far as tests read it.
#[derive(Debug, Deserialize)]
struct Document {
    namespaces: Vec<Listed>,
}

/// A namespace of the list.
#[derive(Debug, Deserialize)]
struct Listed {
    kind: String,
    inode: Option<u64>,
    id: Option<u64>,
    processes: Vec<u32>,
    holders: Vec<Value>,
}

/// Runs the command, and returns the namespace of this kind with this inode number, if it is listed.
fn listed(kind: Kind, inode: u64) -> Result<Option<Listed>> {
    let output = shell("nsproxy list --json", 0, "")?;
    let output_text = text(&output);
    ensure!(output.status.success(), "nsproxy list: {output_text}");
    let document: Document = serde_json::from_str(&output_text).context("nsproxy list --json")?;
    let mut namespaces = document.namespaces.into_iter();
    Ok(namespaces.find(|listed| listed.kind == kind.name() && listed.inode == Some(inode)))
}

/// Checks that a net namespace without a process is listed with this holder alone.
fn expect_held_by(inode: u64, holder: &Value) -> Result<()> {
    let listed = listed(Kind::Net, inode)?.context("the namespace is not listed")?;
    ensure!(
        listed.processes.is_empty() && listed.holders == [holder.clone()],
        "{listed:?}, expected holder {holder}"
    );
    Ok(())
}

/// Returns the file of a new net namespace, which no process is in any more.
fn net_without_process() -> Result<OwnedFd> {
    let target = TargetProcess::start(&Target::new([Setup::Unshare(Kind::Net.flag())]))?;
    open_ns(&target.pid.to_string(), "net")
}

fn by_process(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_all_new())?;
    for kind in Kind::ALL {
        let inode = target.link(kind.name()).context(kind.name())?;
        let listed = listed(kind, inode)?.with_context(|| format!("{} is missing", kind.name()))?;
        ensure!(
            listed.processes.contains(&target.pid),
            "{listed:?}, expected pid {}",
            target.pid
        );
    }
    Ok(())
}

fn by_mount(_: &mut Fixtures) -> Result<()> {
    const MOUNT_POINT: &str = "/run/nsproxy-tests-list";
    let file = net_without_process()?;
    File::create(MOUNT_POINT)?;
    mount_bind(format!("/proc/self/fd/{}", file.as_raw_fd()), MOUNT_POINT)?;
    let inode = fstat(&file)?.st_ino;
    drop(file);
    let holder = json!({ "type": "mount", "path": MOUNT_POINT, "pid": null });
    let checked = expect_held_by(inode, &holder);
    unmount(MOUNT_POINT, UnmountFlags::DETACH)?;
    fs::remove_file(MOUNT_POINT)?;
    checked
}

fn by_file(_: &mut Fixtures) -> Result<()> {
    let file = net_without_process()?;
    let holder = json!({ "type": "file", "pid": std::process::id(), "fd": file.as_raw_fd() });
    expect_held_by(fstat(&file)?.st_ino, &holder)
}

/// A file that is in flight between two sockets is in no table of descriptors.
struct InFlight {
    _ends: (Channel, Channel),
    inode: u64,
}

impl InFlight {
    fn new(file: OwnedFd) -> Result<Self> {
        let ends = Channel::pair()?;
        ends.0.send(&(), Some(file.as_fd()))?;
        Ok(Self {
            _ends: ends,
            inode: fstat(&file)?.st_ino,
        })
    }
}

fn by_nothing_in_proc(_: &mut Fixtures) -> Result<()> {
    Feature::Listns.require()?;
    let file = net_without_process()?;
    let id = nsfs::id(&file)?;
    let held = InFlight::new(file)?;
    let listed = listed(Kind::Net, held.inode)?.context("the namespace is not listed")?;
    ensure!(
        listed.processes.is_empty() && listed.holders.is_empty() && listed.id == Some(id),
        "{listed:?}, expected id {id} and no holder"
    );
    let enter = format!("nsproxy setns --via syscall -n=id:{id} readlink /proc/self/ns/net");
    expect_output(&enter, &format!("net:[{}]", held.inode))?;
    drop(held);
    // The id was that of this namespace alone.
    let gone = shell(&enter, 0, "")?;
    ensure!(!gone.status.success(), "{enter}: {}", text(&gone));
    Ok(())
}

fn enter_by_id(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_all_new())?;
    let inode = target.link("net").context("net")?;
    let listed = listed(Kind::Net, inode)?.context("the namespace is not listed")?;
    let Some(id) = listed.id else {
        let refused = shell("nsproxy setns --via syscall -n=id:1 true", 0, "")?;
        let refused_text = text(&refused);
        ensure!(
            !refused.status.success() && refused_text.contains("requires Linux 6.18"),
            "{}: {refused_text}",
            refused.status
        );
        return Feature::NsfsHandles.require();
    };
    let enter = format!("nsproxy setns --via syscall -n=id:{id} readlink /proc/self/ns/net");
    expect_output(&enter, &format!("net:[{inode}]"))
}

fn expect_output(command: &str, expected: &str) -> Result<()> {
    let output = shell(command, 0, "")?;
    let output_text = text(&output);
    ensure!(
        output.status.success() && output_text.trim() == expected,
        "`{command}` ended with {} and printed\n{output_text}expected {expected}",
        output.status
    );
    Ok(())
}
