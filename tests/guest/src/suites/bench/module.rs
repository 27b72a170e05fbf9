// SPDX-License-Identifier: GPL-2.0-only

//! What the module itself costs: to load, to unload, in memory.

use crate::{env::module, report::verdict_port, sys};
use anyhow::{Context as _, Result, ensure};
use std::fs;

/// How long loading may take: nanoseconds of this guest's clock, of which an instruction is one, and
/// what is waited for as many as it takes.
const LOAD: u64 = 50_000_000;
/// How many bytes it may occupy, in pages, with what is counted for each CPU and each tracepoint.
const MEMORY: u64 = 96 << 10;
/// The least of so many.
const TIMES: usize = 3;

/// Loads and unloads it. To be called when nobody has its device open.
pub(super) fn measure() -> Result<()> {
    let (mut load, mut unload) = (u64::MAX, u64::MAX);
    for _ in 0..TIMES {
        // Whoever used it last may not have let go of it yet.
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
    ensure!(load <= LOAD, "it takes {load} ns to load it");
    ensure!(memory <= MEMORY, "it takes {memory} bytes");
    Ok(())
}

/// How long it takes, by the clock that counts instructions.
fn took(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let begun = sys::instructions();
    work()?;
    Ok(sys::instructions() - begun)
}
