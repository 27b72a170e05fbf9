// SPDX-License-Identifier: GPL-2.0-only

//! QEMU's log of single calls.

use super::symbols::Symbols;
use crate::arch::Arch;
use anyhow::{Context as _, Result};
use std::io::BufRead;

/// The system call that the guest makes before and after each measured call.
const MARK: &str = "sched_get_priority_max";

/// A function's part in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) function: String,
    /// The number of calls of the function.
    pub(super) calls: u64,
    /// Its instructions, without those of its callees.
    pub(super) instructions: u64,
}

/// A call, by function in the order of their first instructions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) parts: Vec<Part>,
}

impl Call {
    pub(super) fn instructions(&self) -> u64 {
        self.parts.iter().map(|part| part.instructions).sum()
    }

    fn add(&mut self, (function, is_first): (&str, bool)) {
        let known = self.parts.iter().position(|part| part.function == function);
        let index = known.unwrap_or_else(|| {
            self.parts.push(Part {
                function: function.to_owned(),
                calls: 0,
                instructions: 0,
            });
            self.parts.len() - 1
        });
        self.parts[index].calls += u64::from(is_first);
        self.parts[index].instructions += 1;
    }
}

/// Returns the shortest call in a log. An interrupt makes a call longer.
///
/// # Errors
///
/// The log contains no call.
pub(super) fn shortest(log: impl BufRead, symbols: &Symbols) -> Result<Call> {
    let mark = Arch::ALL
        .iter()
        .find_map(|arch| symbols.address(&arch.system_call(MARK)))
        .with_context(|| format!("the guest's kernel has no symbol of the system call {MARK}"))?;
    calls(log, mark)?
        .into_iter()
        .min_by_key(Vec::len)
        .map(|pcs| {
            let mut call = Call::default();
            for pc in pcs {
                call.add(symbols.find(pc));
            }
            call
        })
        .context("QEMU logged no call")
}

/// Iterates over the calls between marks, by their instructions in the kernel.
fn calls(log: impl BufRead, mark: u64) -> Result<Vec<Vec<u64>>> {
    /// Kernel addresses are the upper half.
    const KERNEL: u64 = 1 << 63;
    let mut calls = Vec::new();
    // The entries of the kernel since the last mark.
    let mut entries: Option<Vec<Vec<u64>>> = None;
    let mut entry = Vec::new();
    for line in log.lines() {
        let Some(pc) = pc(&line?) else { continue };
        if pc & KERNEL != 0 {
            entry.push(pc);
            continue;
        }
        if entry.is_empty() {
            continue;
        }
        let entry = std::mem::take(&mut entry);
        if !entry.contains(&mark) {
            if let Some(entries) = &mut entries {
                entries.push(entry);
            }
            continue;
        }
        // With more than one entry, an interrupt arrived.
        if let Some(mut between) = entries.replace(Vec::new())
            && between.len() == 1
        {
            calls.append(&mut between);
        }
    }
    Ok(calls)
}

/// Parses the address in a line like `Trace 0: 0x7f2c98000100
/// [0000000000000000/ffffffff81000000/...] name`.
fn pc(line: &str) -> Option<u64> {
    let (_, rest) = line.strip_prefix("Trace ")?.split_once('/')?;
    u64::from_str_radix(rest.split('/').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Symbols {
        let mut symbols = Symbols::default();
        symbols.add("ffffffff81000000 entry");
        symbols.add(&format!("ffffffff81000100 {}", Arch::X86.system_call(MARK)));
        symbols.add("ffffffff81000200 work");
        symbols
    }

    fn log(pcs: &[u64]) -> String {
        let line = |pc: &u64| format!("Trace 0: 0x7f00 [0000000000000000/{pc:016x}/0x1/ff] x\n");
        pcs.iter().map(line).collect()
    }

    const USER: u64 = 0x40_0000;
    const ENTRY: u64 = 0xffff_ffff_8100_0000;
    const AT_MARK: u64 = 0xffff_ffff_8100_0100;
    const WORK: u64 = 0xffff_ffff_8100_0200;

    #[test]
    fn the_shortest_between_two_marks() {
        let marked = |calls: &[&[u64]]| {
            let mut pcs = vec![USER, ENTRY, WORK, USER, ENTRY, AT_MARK, USER];
            for call in calls {
                pcs.extend(*call);
                pcs.push(USER);
            }
            pcs.extend([ENTRY, AT_MARK, USER, ENTRY, USER]);
            log(&pcs)
        };
        let log = marked(&[&[ENTRY, WORK, WORK + 1, WORK]]) + &marked(&[&[ENTRY, WORK, WORK + 4]]);
        let call = shortest(log.as_bytes(), &symbols()).unwrap();
        assert_eq!(call.instructions(), 3);
        let part = |function: &str, calls, instructions| Part {
            function: function.to_owned(),
            calls,
            instructions,
        };
        assert_eq!(call.parts, [part("entry", 1, 1), part("work", 1, 2)]);

        let interrupted = marked(&[&[ENTRY, WORK], &[ENTRY]]);
        let error = shortest(interrupted.as_bytes(), &symbols()).unwrap_err();
        assert_eq!(error.to_string(), "QEMU logged no call");
    }
}
