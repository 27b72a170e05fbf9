// SPDX-License-Identifier: GPL-2.0-only

//! State that the tests of a suite share.

use crate::{
    case::{
        Case, FdSource,
        effort::Effort,
        run::{Caller, CallerKey},
        target::{CGROUP, Target, TargetProcess, links_of},
    },
    checks::{diagnosis::Agreements, references::References},
    env::module::Module,
    process::setup::CGROUPS,
    snapshot::ClockBase,
};
use anyhow::Result;
use std::{
    collections::HashMap,
    fs,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

/// Maximum number of idle callers: each new actor inherits their files and closes them.
const MAX_IDLE: usize = 36;

/// Processes and files that tests share.
pub(crate) struct Fixtures {
    pub(crate) effort: Effort,
    pub(crate) module: Module,
    targets: HashMap<Target, Rc<TargetProcess>>,
    files: Files,
    /// Reusable callers, whose calls had no effect. The most recently used caller is the last one.
    idle: Vec<(CallerKey, Caller)>,
    /// The clocks of the test.
    pub(crate) clocks: ClockBase,
    /// The namespaces of the test.
    pub(crate) home: HashMap<&'static str, u64>,
    /// The explanations of user space, compared with those of the module.
    pub(crate) agreements: Agreements,
    /// The predictions by the test, compared with the module.
    pub(crate) predictions: Agreements,
}

impl Fixtures {
    /// Creates fixtures without any process or file.
    pub(crate) fn new(effort: Effort, module: Module) -> Self {
        Self {
            effort,
            module,
            targets: HashMap::new(),
            files: Files::default(),
            idle: Vec::new(),
            clocks: ClockBase::measure(),
            home: links_of("self"),
            agreements: Agreements::default(),
            predictions: Agreements::default(),
        }
    }

    /// Removes and returns an idle caller with this key.
    pub(crate) fn take_idle(&mut self, key: &CallerKey) -> Option<Caller> {
        let at = self.idle.iter().position(|(idle, _)| idle == key)?;
        Some(self.idle.remove(at).1)
    }

    /// Keeps a caller for the next case with the same key.
    pub(crate) fn add_idle(&mut self, key: CallerKey, caller: Caller) {
        self.idle.push((key, caller));
        if self.idle.len() > MAX_IDLE {
            self.idle.remove(0);
        }
    }

    /// Ends all idle callers, which have the device open.
    pub(crate) fn end_idle(&mut self) {
        self.idle.clear();
    }

    /// Opens a file that belongs to no target, or returns the one that is already open.
    pub(crate) fn file(
        &self,
        source: FdSource,
        open: impl FnOnce() -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        self.files.get_or_open(source, open)
    }

    /// Starts a target, or returns an equal one that is already running.
    pub(crate) fn target(&mut self, target: &Target) -> Result<Rc<TargetProcess>> {
        if let Some(process) = self.targets.get(target) {
            return Ok(process.clone());
        }
        let process = Rc::new(TargetProcess::start(target)?);
        if process.is_alive() && self.module == Module::Loaded {
            // Cases compare the references before and after their calls.
            References::at_rest(&process)?;
        }
        self.targets.insert(target.clone(), process.clone());
        Ok(process)
    }

    /// Starts the target of a case, if it has one.
    pub(crate) fn target_of(&mut self, case: &Case) -> Result<Option<Rc<TargetProcess>>> {
        case.target
            .as_ref()
            .map(|target| self.target(target))
            .transpose()
    }

    /// Ends all callers and targets, and closes all files.
    pub(crate) fn clear(&mut self) {
        self.end_idle();
        self.targets.clear();
        self.files = Files::default();
        let _ = fs::remove_dir(format!("{CGROUPS}/{CGROUP}"));
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Open files, by their source.
#[derive(Default)]
pub(super) struct Files(Mutex<HashMap<FdSource, Arc<OwnedFd>>>);

impl Files {
    /// Opens a file, or returns the one that is already open.
    pub(super) fn get_or_open(
        &self,
        source: FdSource,
        open: impl FnOnce() -> Result<OwnedFd>,
    ) -> Result<Arc<OwnedFd>> {
        let files = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files().get(&source) {
            return Ok(file.clone());
        }
        // Without the lock: opening a file may open others.
        let file = Arc::new(open()?);
        files().insert(source, file.clone());
        Ok(file)
    }
}
