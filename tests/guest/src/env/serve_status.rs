// SPDX-License-Identifier: GPL-2.0-only

//! Whether the module can serve setns(2) itself, and what it says of the calls that it does.

use crate::{
    case::implementation::Device,
    report::ktap::{Skip, Test},
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use std::fs;

const FILE: &str = "/sys/kernel/debug/nsproxy_rs/served";

/// How many calls of setns(2) it has served since it was loaded.
pub(crate) fn calls() -> Result<u64> {
    // By what they returned.
    let counts = counts("returned")?;
    ensure!(
        !counts.is_empty(),
        "{FILE} does not say what calls returned"
    );
    Ok(counts.iter().sum())
}

/// How many processes are served now.
pub(crate) fn processes() -> Result<u64> {
    let [count] = counts("processes")?[..] else {
        bail!("{FILE} does not say how many processes are served");
    };
    Ok(count)
}

/// What the lines of a name end with.
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

/// Has this process be served, and returns whether it was.
///
/// # Errors
///
/// Skips the test on a kernel that cannot.
pub(crate) fn ask(device: &Device) -> Result<bool> {
    match device.serve(true) {
        Err(Errno::OPNOTSUPP) => Err(cannot()),
        was => was.context("NSPROXY_SERVE"),
    }
}

/// Skips a test that needs a kernel on which the module can serve setns(2).
pub(crate) fn cannot() -> anyhow::Error {
    Skip::because("the kernel is built without CONFIG_FUNCTION_TRACER")
}

/// Whether this kernel can.
///
/// # Errors
///
/// Those that say something else.
pub(crate) fn can(device: &Device) -> Result<bool> {
    match device.serve(true) {
        Err(Errno::OPNOTSUPP) => Ok(false),
        was => {
            was.context("NSPROXY_SERVE")?;
            device.serve(false)?;
            Ok(true)
        }
    }
}

/// What is left of a suite of calls that are served, if none can be: why, and on a kernel that is
/// built so, that this is what it says.
pub(crate) fn refused(what: &str) -> Option<Vec<Test>> {
    let device = Device::open().context(Device::PATH);
    let why = match device.and_then(|device| can(&device)) {
        Ok(true) => return None,
        Ok(false) => cannot(),
        Err(error) => error,
    };
    Some(vec![
        Test::new("who asks to be served is told that it cannot be", |_| {
            let device = Device::open().context(Device::PATH)?;
            let (asked, is) = (device.serve(true), device.serves());
            ensure!(
                (asked, is) == (Err(Errno::OPNOTSUPP), Ok(false)),
                "asked: {asked:?}, is: {is:?}"
            );
            Ok(())
        }),
        Test::new(what, |_| Err(why)),
    ])
}
