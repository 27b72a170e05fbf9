// SPDX-License-Identifier: GPL-2.0-only

//! Roles whose processes are served by the module for some time, or until they end.

use super::{
    super::{
        outcome::{Event, Situation},
        shared_state::{BOTH, LIFELONG, SharedState},
    },
    create::{clone_child, execute, quick_kinds},
    pause,
    target::keep_killing,
};
use crate::{
    case::implementation::{Device, Kind},
    env::serve_status::enable,
    sys::{self, Fork},
};
use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::{
    io::Errno,
    process::{Signal, WaitOptions},
};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

/// Targets that create namespaces and children, while a thread starts and stops the serving of the
/// process. They are killed.
pub(crate) fn toggling_targets(state: &SharedState, rng: &mut Rng) -> Result<()> {
    keep_killing(state, rng, |state, rng, _| {
        let (started, enough) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let mut thread_rng = rng.fork();
            let (started, enough) = (&started, &enough);
            // Allocates nothing after it has started: a child would inherit a locked allocator.
            let toggle = move || -> Result<()> {
                started.store(true, Relaxed);
                while !enough.load(Relaxed) {
                    state.serve(thread_rng.bool())?;
                    state.record(Event::Toggle);
                    pause(&mut thread_rng, 300);
                }
                Ok(())
            };
            let toggling = scope.spawn(toggle);
            while !started.load(Relaxed) {
                thread::yield_now();
            }
            let done = create_and_clone(state, rng);
            enough.store(true, Relaxed);
            ensure!(matches!(toggling.join(), Ok(Ok(()))), "NSPROXY_SERVE");
            done
        })
    })
}

fn create_and_clone(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() {
        let kinds = quick_kinds(rng);
        state.unshare(rng, Situation::Creates, BOTH, kinds)?.ok();
        clone_child(state, rng)?;
    }
    Ok(())
}

/// Starts a served process, which starts another one before it ends, and so on. So at least one
/// process is served until the scene and the attempts to unload the module are over.
pub(crate) fn served_generations(state: &SharedState, rng: &mut Rng) -> Result<()> {
    // The orphans become children of this process, which reaps them.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    state.spawn(|| {
        // Only this process has the device open, and not for long.
        enable(&Device::open()?)?;
        state.record(Event::Served);
        generations(state, rng)
    })?;
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(errno) => return Err(errno).context("wait"),
        }
    }
}

fn generations(state: &SharedState, rng: &mut Rng) -> Result<()> {
    while state.is_running() || state.count(Event::Done) == 0 {
        let kinds = quick_kinds(rng);
        state
            .unshare(rng, Situation::Creates, LIFELONG, kinds)?
            .ok();
        let home = state.random_home(rng);
        let file = home.file(Kind::Uts);
        state.call(rng, Situation::Stays, LIFELONG, file, 0)?.ok();
        state.expect_in("uts", home.inode(Kind::Uts), "after it was entered")?;
        if let Fork::Parent(_) = sys::fork_by_clone3(quick_kinds(rng).into())? {
            return end(state, rng);
        }
        // The child, which is served as well.
        state.record(Event::Served);
        *rng = rng.fork();
    }
    Ok(())
}

/// Ends this process in one of the ways in which a process can end.
fn end(state: &SharedState, rng: &mut Rng) -> Result<()> {
    match rng.u32(..5) {
        0 => {
            state.record(Event::Kill);
            rustix::process::kill_process(rustix::process::getpid(), Signal::KILL)?;
        }
        1 => {
            state.record(Event::Execute);
            return execute(&["true"]);
        }
        2 => {
            // All threads exit with the process.
            for _ in 0..3 {
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn(|| sys::sleep_forever())?;
            }
        }
        3 => {
            let was = Device::open()?.serve(false)?;
            ensure!(
                was,
                "a process that was served from its start is not served"
            );
        }
        _ => pause(rng, 2000),
    }
    Ok(())
}
