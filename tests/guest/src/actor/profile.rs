// SPDX-License-Identifier: GPL-2.0-only

//! Single calls, for a host that notes each instruction of them: see `make profile`.

use super::measure::{Asked, Caller, Work, in_child};
use crate::{host::Tracer, sys::Call, via::Device};
use anyhow::Result;

/// How often each is made. The host takes the shortest: whatever comes between makes it longer.
const CALLS: usize = 6;

/// Has the host note calls of each of those that are asked, for what is called `name`.
///
/// `fds` are the files of `work`.
pub(super) fn profile(
    name: &str,
    work: Work,
    fds: [i32; 2],
    device: &Device,
    asked: &[Asked],
) -> Result<()> {
    let mut tracer = Tracer::open()?;
    for asked in asked {
        let mut caller = Caller::new(*asked, work, device);
        let mut note = |caller: &mut Caller<'_>, which: &mut dyn Iterator<Item = usize>, fds| {
            let calls = caller.calls(fds);
            tracer.begin(name, asked.word())?;
            for n in which {
                // Where the host knows them from: between two that nobody else makes.
                Call::LEAST.make();
                let returned = calls[n].make();
                Call::LEAST.make();
                caller.check(n, returned)?;
            }
            tracer.end()
        };
        if work.in_children {
            for _ in 0..CALLS {
                in_child(|| {
                    caller.serve(true)?;
                    caller.calls([-1; 2])[0].make();
                    note(&mut caller, &mut [0].into_iter(), fds)
                })?;
            }
        } else {
            caller.serve(true)?;
            caller.warm(fds)?;
            note(&mut caller, &mut (0..CALLS).map(|n| n % 2), fds)?;
            caller.serve(false)?;
        }
    }
    Ok(())
}
