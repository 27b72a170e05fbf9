// SPDX-License-Identifier: GPL-2.0-only

//! The cost of the module: loading, unloading, memory.

use crate::{env::module, report::verdict_port, sys};
use anyhow::{Context as _, Result, ensure};
use std::fs;

/// The limit for loading, in nanoseconds of this guest's clock: an instruction takes one, and waiting
/// takes real time.
const LOAD: u64 = 50_000_000;
/// The limit for its memory in bytes, including data for each CPU and each tracepoint.
const MEMORY: u64 = 156 << 10;
/// The number of measurements, of which the least counts.
const TIMES: usize = 3;

/// Measures loading and unloading. The device must not be open.
pub(super) fn measure() -> Result<()> {
    let (mut load, mut unload) = (u64::MAX, u64::MAX);
    for _ in 0..TIMES {
        // The last user may still hold a reference.
        module::unload_soon()?;
        load = load.min(took(|| module::load(c"")?.context("finit_module"))?);
        unload = unload.min(took(|| module::unload().context("delete_module"))?);
        module::load(c"")?.context("finit_module")?;
    }
    let path = "/sys/module/nsproxy_rs/coresize";
    let memory: u64 = fs::read_to_string(path).context(path)?.trim().parse()?;
    println!("# loaded in {load} ns, unloaded in {unload} ns, {memory} bytes of memory");
    verdict_port::fact("module.load", load)?;
    verdict_port::fact("module.unload", unload)?;
    verdict_port::fact("module.memory", memory)?;
    ensure!(
        load <= LOAD,
        "loading takes {load} ns, expected at most {LOAD}"
    );
    ensure!(
        memory <= MEMORY,
        "the module takes {memory} bytes, expected at most {MEMORY}"
    );
    Ok(())
}

/// Returns how long `work` takes, by the clock that counts instructions.
fn took(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let begun = sys::instructions();
    work()?;
    Ok(sys::instructions() - begun)
}
