// SPDX-License-Identifier: GPL-2.0-only

//! Serving by the module: whether the kernel supports it, and the counts in debugfs.

use crate::{
    case::implementation::Device,
    report::ktap::{Skip, Test},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use std::fs;

const FILE: &str = "/sys/kernel/debug/nsproxy_rs/served";

/// Returns how many calls of setns(2) the module has served since it was loaded.
pub(crate) fn calls() -> Result<u64> {
    // One line for each result.
    let counts = counts("returned")?;
    ensure!(!counts.is_empty(), "{FILE}: missing lines \"returned\"");
    Ok(counts.iter().sum())
}

/// Returns how many calls of unshare(2) the module has served since it was loaded.
pub(crate) fn unshares() -> Result<u64> {
    Ok(counts("unshared")?.iter().sum())
}

/// Returns the number of served processes.
pub(crate) fn processes() -> Result<u64> {
    let [count] = counts("processes")?[..] else {
        bail!("{FILE}: missing line \"processes\"");
    };
    Ok(count)
}

/// Returns how many tasks the module has created, how many programs it has executed, and how many
/// tasks it has ended, since it was loaded.
pub(crate) fn life() -> Result<[u64; 3]> {
    let mut life = [0; 3];
    for (life, name) in life.iter_mut().zip(["copied", "executed", "exited"]) {
        let [count] = counts(name)?[..] else {
            bail!("{FILE}: missing line {name:?}");
        };
        *life = count;
    }
    Ok(life)
}

/// Returns the number at the end of each line that starts with `name`.
fn counts(name: &str) -> Result<Vec<u64>> {
    let text = fs::read_to_string(FILE).context(FILE)?;
    let mut counts = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        if words.next() == Some(name) {
            counts.push(words.next_back().context(FILE)?.parse().context(FILE)?);
        }
    }
    Ok(counts)
}

/// Enables serving for this process. Returns the previous state.
///
/// # Errors
///
/// [`Skip`] on a kernel that does not support it.
pub(crate) fn enable(device: &Device) -> Result<bool> {
    match device.serve(true) {
        Err(Errno::OPNOTSUPP) => Err(unsupported()),
        was => was.context("NSPROXY_SERVE"),
    }
}

/// Returns the [`Skip`] for a kernel that does not support serving.
pub(crate) fn unsupported() -> anyhow::Error {
    Skip::because("the kernel is built without CONFIG_FUNCTION_TRACER")
}

/// Returns whether the kernel supports serving.
pub(crate) fn is_supported(device: &Device) -> Result<bool> {
    match device.serve(true) {
        Err(Errno::OPNOTSUPP) => Ok(false),
        was => {
            was.context("NSPROXY_SERVE")?;
            device.serve(false)?;
            Ok(true)
        }
    }
}

/// Returns the tests of a suite of served calls on a kernel that does not support serving: a check
/// of the error, and a skipped test with the name `what`.
pub(crate) fn tests_if_unsupported(what: &str) -> Option<Vec<Test>> {
    let device = Device::open().context(Device::PATH);
    let why = match device.and_then(|device| is_supported(&device)) {
        Ok(true) => return None,
        Ok(false) => unsupported(),
        Err(error) => error,
    };
    Some(vec![
        Test::new("a request to be served is EOPNOTSUPP", |_| {
            let device = Device::open().context(Device::PATH)?;
            let (enabled, query) = (device.serve(true), device.serves());
            ensure!(
                (enabled, query) == (Err(Errno::OPNOTSUPP), Ok(false)),
                "enable: {enabled:?}, query: {query:?}"
            );
            Ok(())
        }),
        Test::new(what, |_| Err(why)),
    ])
}
