// SPDX-License-Identifier: GPL-2.0-only

//! Single calls, for a host that notes each instruction of them: see `make profile`.

use super::measure::{Caller, Measured, Work, in_child};
use crate::{case::implementation::Device, process::tracer::Tracer, sys::Call};
use anyhow::Result;

/// Which of the two files each call is made with. The host takes the shortest call: whatever comes
/// between makes one longer.
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
        let mut note = |caller: &mut Caller<'_>, turns: &[usize]| {
            let calls = caller.calls(fds);
            tracer.begin(name, measured.name())?;
            for &turn in turns {
                // Where the host knows them from: between two that nobody else makes.
                Call::LEAST.make();
                let returned = calls[turn].make();
                Call::LEAST.make();
                caller.check(turn, returned)?;
            }
            tracer.end()
        };
        if work.in_children {
            for turn in TURNS {
                in_child(|| {
                    caller.serve(true)?;
                    // What is shared with the parent until it is written to is written to before.
                    caller.calls([-1; 2])[turn].make();
                    note(&mut caller, &[turn])
                })?;
            }
        } else {
            caller.serve(true)?;
            caller.warm(fds)?;
            note(&mut caller, &TURNS)?;
            caller.serve(false)?;
        }
    }
    Ok(())
}
