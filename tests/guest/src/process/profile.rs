// SPDX-License-Identifier: GPL-2.0-only

//! Single calls, whose instructions the host records: see `make profile`.

use super::{
    measure::{Caller, Measured, Work},
    workers::run_in_child,
};
use crate::{case::implementation::Device, process::tracer::Tracer, sys::Call};
use anyhow::Result;

/// The file of each call. The host takes the shortest call, since interrupts only make calls longer.
const TURNS: [usize; 6] = [0, 1, 0, 1, 0, 1];

/// Makes each measured call while the host records its instructions under `name`.
///
/// `fds` are the files of `work`.
pub(super) fn profile(
    name: &str,
    work: Work,
    fds: [i32; 2],
    device: &Device,
    measured: &[Measured],
) -> Result<()> {
    let mut tracer = Tracer::open()?;
    for measured in measured {
        let mut caller = Caller::new(*measured, work, device);
        let mut record = |caller: &mut Caller<'_>, turns: &[usize]| {
            let repetitions = caller.repetitions(fds);
            tracer.begin(name, measured.name(work.operation))?;
            for &turn in turns {
                // The host recognises a call by these two around it.
                Call::LEAST.make();
                let returned = repetitions[turn].make();
                Call::LEAST.make();
                caller.check(turn, returned)?;
            }
            tracer.end()
        };
        if work.in_children {
            for turn in TURNS {
                run_in_child(|| {
                    caller.serve(true)?;
                    // Writes to memory that is shared with the parent, so that it is copied before.
                    let _ = caller.repetitions([-1; 2]);
                    record(&mut caller, &[turn])
                })?;
            }
        } else {
            caller.serve(true)?;
            caller.warm(fds)?;
            record(&mut caller, &TURNS)?;
            caller.serve(false)?;
        }
    }
    Ok(())
}
