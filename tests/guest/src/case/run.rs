// SPDX-License-Identifier: GPL-2.0-only

//! Runs a case.
//!
//! Two actors get the same setups. One calls through the reference entry, the other one through the
//! entry under test. Both must return the same result and have equal snapshots afterwards, as the
//! case expects.

use crate::{
    case::{
        Case, FdSource, Unrelated, Witnesses,
        fd_source::{self, Prepared},
        fixtures::Fixtures,
        implementation::{Device, Entry, EntryOf, Kind, SystemCall},
        record,
        target::{self, TargetProcess},
    },
    checks::{
        diagnosis::{self, Agreement, Diagnosis, Expected},
        outcome,
        references::{Changes, References},
    },
    env::{
        kernel::{self, Feature},
        module::Module,
    },
    errno::{Outcome, outcome_name},
    process::{
        Actor,
        command::{Args, Call, Called, Command, DryRun, Program, Repeated, Reply, Source},
        setup::Setup,
    },
    snapshot::{Children, ClockBase, OF_CHILD, Snapshot},
    sys::{NAMESPACES_IN_ORDER, NamespacesWatch, Semaphore, SharedMemory},
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_diagnose::Task;
use rustix::process::Pid;
use std::{
    fs::{self, File},
    mem,
    os::fd::AsRawFd as _,
};

/// The call of one caller, with snapshots before and after it.
pub(crate) struct CallerRun {
    pub(crate) by: EntryOf,
    /// The inode number of the file, which for an nsfs file is that of the namespace.
    pub(crate) opened: Option<u64>,
    pub(crate) before: Snapshot,
    pub(crate) outcome: Outcome,
    /// If an allocation was to fail: the number of allocations that remained until that one.
    pub(crate) to_go: Option<u32>,
    /// The result of a dry run before the call, if there was one.
    pub(crate) dry_run: Option<DryRun>,
    /// The explanation from user space before the call, if there was one.
    pub(crate) diagnosis: Option<Diagnosis>,
    /// The prediction by the test before the call, if there was one.
    pub(crate) prediction: Option<Diagnosis>,
    pub(crate) after: Snapshot,
}

/// The runs of both callers, compared.
pub(crate) struct CaseRun {
    pub(crate) subject: CallerRun,
    pub(crate) reference: Option<CallerRun>,
    /// The differences from the expectation.
    pub(crate) wrong: Vec<String>,
    /// How many times each caller made the call, the last of which this is.
    pub(crate) times: u64,
    /// The comparison of the explanations of user space and of the module.
    pub(crate) agreement: Option<Agreement>,
    /// The comparison of the prediction by the test with the module.
    prediction: Option<Agreement>,
}

/// Runs a case, and fails if there is a difference from its expectation.
pub(crate) fn check(case: &Case, fixtures: &mut Fixtures) -> Result<()> {
    let run = run_by_all(case, fixtures)?;
    if fixtures.effort.record
        && let Some(recorded) = record::of(case, &run)
    {
        record::send(&recorded)?;
    }
    if let Some(agreement) = run.agreement {
        fixtures.agreements.add(agreement);
    }
    if let Some(agreement) = run.prediction {
        fixtures.predictions.add(agreement);
    }
    run.check()
}

/// Runs a case by all implementations that the guest has: without the module, by the kernel alone.
///
/// # Errors
///
/// As [`run`], and [`Skip`](crate::report::ktap::Skip) if the guest does not have what the case is about.
pub(crate) fn run_by_all(case: &Case, fixtures: &mut Fixtures) -> Result<CaseRun> {
    case.features().try_for_each(Feature::require)?;
    if case.fd == FdSource::Unrelated(Unrelated::Nsproxy) {
        fixtures.module.require_loaded()?;
    }
    match fixtures.module {
        Module::Loaded => run(case, fixtures),
        Module::Missing => run(&case.clone().by_kernel_alone(), fixtures),
    }
}

/// Runs a case.
///
/// # Errors
///
/// The case could not be run. A difference from the expectation is not an error.
pub(crate) fn run(case: &Case, fixtures: &mut Fixtures) -> Result<CaseRun> {
    let (run, changes) = run_once(case, fixtures)?;
    if !changes.are_losses() {
        return Ok(run.with_changes(&changes));
    }
    // The kernel may have been about to drop these references when the case began, for example
    // with a process that had set up the target. A call that drops one too many does it again.
    let (run, changes) = run_once(case, fixtures)?;
    let run = CaseRun { times: 2, ..run };
    Ok(run.with_changes(&changes))
}

impl CaseRun {
    /// Fails if there is a difference from the expectation.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.wrong.is_empty(), self.wrong.join("\n"));
        Ok(())
    }

    /// Adds changes of the references to the target's namespaces.
    fn with_changes(mut self, changes: &Changes) -> Self {
        if !changes.is_none() {
            self.wrong.push(format!(
                "the references to the target's namespaces changed: {changes}"
            ));
        }
        self
    }
}

/// Runs a case. Returns the changes of the references to the target's namespaces as well.
fn run_once(case: &Case, fixtures: &mut Fixtures) -> Result<(CaseRun, Changes)> {
    let target = fixtures.target_of(case)?;
    let target = target.as_deref();
    let fd = case.fd.prepare(target, fixtures)?;
    // After the files of the target are open, which hold references.
    let is_counted = fixtures.module == Module::Loaded;
    let alive = target.filter(|target| target.is_alive() && is_counted);
    let references = alive.map(References::of).transpose()?;

    let mut subject = Caller::prepare(case, case.subject, target, fixtures)?;
    let mut reference = match case.reference {
        Some(entry) => Some(Caller::prepare(case, entry, target, fixtures)?),
        None => None,
    };

    // The reference first: its result is known even if the subject crashes the guest.
    let reference_run = match &mut reference {
        Some(caller) => Some(caller.run(case, &fd, &fixtures.clocks)?),
        None => None,
    };
    let subject_run = subject.run(case, &fd, &fixtures.clocks)?;

    let mut changes = Changes::default();
    let mut wrong = Vec::new();
    for run in reference_run.iter().chain([&subject_run]) {
        outcome::check(case, run, target, &mut wrong);
    }
    let (reason, source) = match subject_run.dry_run {
        Some(dry_run) => (dry_run.reason(), "the module"),
        None => (case.reason, "the case"),
    };
    let expected = Expected {
        outcome: subject_run.outcome,
        reason,
        source,
    };
    let agreement = subject_run
        .diagnosis
        .and_then(|diagnosis| diagnosis::compare(case, diagnosis, expected, &mut wrong));
    // Without the check that refused, a prediction that names several may be right or wrong.
    let is_known = reason.is_some() || subject_run.outcome.is_ok();
    let prediction = subject_run.prediction.filter(|_| is_known);
    let prediction = prediction.and_then(|prediction| {
        let mut differs = Vec::new();
        let agreement = diagnosis::compare(case, prediction, expected, &mut differs);
        wrong.extend(
            differs
                .iter()
                .map(|text| format!("another process: {text}")),
        );
        agreement
    });
    if let Some(reference) = &reference_run {
        outcome::compare(case, reference, &subject_run, &mut wrong);
    }
    if target::links_of("self") != fixtures.home {
        wrong.push("the test itself is in other namespaces than before".to_owned());
    }

    if wrong.is_empty() {
        subject.keep_if_unchanged(case, &subject_run, fixtures);
        if let (Some(caller), Some(run)) = (reference, &reference_run) {
            caller.keep_if_unchanged(case, run, fixtures);
        }
        if let (Some(target), Some(references)) = (alive, references) {
            changes = references.changes(target)?;
        }
    } else {
        let results = outcome::results(case, &subject_run, reference_run.as_ref());
        wrong.insert(0, results);
    }
    let run = CaseRun {
        subject: subject_run,
        reference: reference_run,
        wrong,
        times: 1,
        agreement,
        prediction,
    };
    Ok((run, changes))
}

/// How many times to restart a series in which an injected failure was not hit, or was tolerated.
const SERIES: u32 = 10;

/// Makes the call of a case many times through `entry`, by one caller or each time by a child of
/// it. Returns the outcome.
///
/// # Errors
///
/// A call could not be made, or the outcomes differ.
pub(crate) fn repeat(
    case: &Case,
    entry: Entry,
    times: u32,
    in_children: bool,
    fixtures: &mut Fixtures,
) -> Result<Outcome> {
    let target = fixtures.target_of(case)?;
    let fd = case.fd.prepare(target.as_deref(), fixtures)?;
    // Witnesses would allocate memory that `faults` counts.
    let case = &Case {
        witnesses: Witnesses::Child,
        ..case.clone()
    };
    let mut made = 0;
    let mut outcome = None;
    for _ in 0..SERIES {
        let mut caller = Caller::prepare(case, entry, target.as_deref(), fixtures)?;
        let repeated = caller.repeat(case, &fd, times - made, in_children)?;
        if repeated.times > 0 {
            ensure!(
                outcome.is_none_or(|outcome| outcome == repeated.outcome),
                "{entry} returned {}, and {} to another caller",
                outcome_name(outcome.unwrap_or(Ok(()))),
                outcome_name(repeated.outcome)
            );
            outcome = Some(repeated.outcome);
            made += repeated.times;
        }
        if made == times {
            return outcome.context("repeated no times");
        }
    }
    bail!("{entry}: the call succeeded despite an injected allocation failure, {SERIES} times");
}

/// Prepares a caller of a case with the file of its call open, and runs `f` with it and its call.
pub(crate) fn with_caller<T>(
    case: &Case,
    entry: Entry,
    fixtures: &mut Fixtures,
    f: impl FnOnce(&mut Actor, Call) -> Result<T>,
) -> Result<T> {
    let target = fixtures.target_of(case)?;
    let fd = case.fd.prepare(target.as_deref(), fixtures)?;
    // Without perf, which would have to be notified.
    let case = &Case {
        witnesses: Witnesses::Child,
        ..case.clone()
    };
    let mut caller = Caller::prepare(case, entry, target.as_deref(), fixtures)?;
    caller.open(&fd)?;
    let call = caller.call(case);
    f(&mut caller.actor, call)
}

/// Runs programs as the caller of a case. Their standard input is the file of the case, if there is
/// one. `lines` returns their command lines for the caller's pid.
pub(crate) fn run_programs(
    case: &Case,
    lines: impl FnOnce(u32) -> Vec<Vec<String>>,
    fixtures: &mut Fixtures,
) -> Result<Vec<Program>> {
    let target = fixtures.target_of(case)?;
    let target = target.as_deref();
    // This entry has no effect, so that the caller can be used again.
    let entry = Entry::DRY_RUN;
    let mut caller = Caller::prepare(case, entry, target, fixtures)?;
    let input = match case.fd {
        FdSource::Pidfd | FdSource::OwnPidfd | FdSource::Number(_) => None,
        _ => {
            let fd = case.fd.prepare(target, fixtures)?;
            caller.open(&fd)?;
            Some(0)
        }
    };
    let lines = lines(caller.actor.pid()?);
    let commands = [
        Command::Programs {
            lines,
            input,
            share_fs: case.caller.contains(&Setup::ShareFs),
        },
        Command::Close,
    ];
    let mut replies = caller.actor.run_commands(&commands)?;
    let Reply::Programs(programs) = replies.swap_remove(0) else {
        bail!("unexpected reply to {:?}", commands[0]);
    };
    caller.keep(case, fixtures);
    Ok(programs)
}

/// Callers with equal keys are interchangeable before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallerKey {
    entry: Entry,
    setups: Vec<Setup>,
    /// `true` if perf watches the caller.
    perf: bool,
}

impl CallerKey {
    fn new(case: &Case, entry: Entry) -> Self {
        Self {
            entry,
            setups: case.caller.clone(),
            // The path of 2011 does not notify perf, and a notification allocates memory.
            perf: case.witnesses == Witnesses::All
                && case.subject != Entry::Device2011
                && case.fail_allocation.is_none(),
        }
    }
}

/// An actor in the state of a case.
pub(crate) struct Caller {
    actor: Actor,
    entry: Entry,
    semaphore: Option<RaisedSemaphore>,
    memory: Option<CreatedMemory>,
    /// The path in `/proc` of a task that shares the nsproxy.
    companion: Option<String>,
    /// The path in `/proc` of a child that is in namespaces of its own.
    child: Option<String>,
    /// [`None`] in a kernel without perf.
    perf: Option<NamespacesWatch>,
    /// The last snapshot.
    snapshot: Snapshot,
}

/// A semaphore that is removed when dropped.
struct RaisedSemaphore(Semaphore);

impl Drop for RaisedSemaphore {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

/// A segment of shared memory that is removed when dropped.
struct CreatedMemory(SharedMemory);

impl CreatedMemory {
    /// Returns whether the segment is an orphan: whether this sysctl destroys it.
    fn is_orphan(&self) -> Result<bool> {
        const DESTROY_ORPHANS: &str = "/proc/sys/kernel/shm_rmid_forced";
        fs::write(DESTROY_ORPHANS, "1")?;
        fs::write(DESTROY_ORPHANS, "0")?;
        Ok(!self.0.exists()?)
    }
}

impl Drop for CreatedMemory {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

impl Caller {
    fn prepare(
        case: &Case,
        entry: Entry,
        target: Option<&TargetProcess>,
        fixtures: &mut Fixtures,
    ) -> Result<Self> {
        let key = CallerKey::new(case, entry);
        if let Some(idle) = fixtures.take_idle(&key) {
            return Ok(idle);
        }
        let mut caller = Self {
            actor: Actor::spawn()?,
            entry,
            semaphore: None,
            memory: None,
            companion: None,
            child: None,
            perf: None,
            snapshot: Snapshot::default(),
        };
        let mut commands = Vec::new();
        if entry != Entry::Syscall {
            // As root: the module checks the credentials at the time of the call.
            commands.push(Command::OpenDevice);
        }
        if entry == Entry::Lifelong {
            commands.push(Command::Serve);
        }
        for setup in &case.caller {
            if let Setup::EnterTarget(kinds) = setup {
                let target = target.context("a case without a target")?;
                caller.run_commands(&mem::take(&mut commands))?;
                caller.enter(target, *kinds)?;
            } else {
                commands.push(Command::SetUp(setup.clone()));
            }
        }
        if key.perf {
            commands.push(Command::Pid);
        }
        commands.push(Command::Snapshot {
            clocks: fixtures.clocks.clone(),
            children: Children::None,
        });
        caller.run_commands(&commands)?;
        Ok(caller)
    }

    /// Keeps the caller for another case if the call had no effect, which was checked.
    fn keep_if_unchanged(mut self, case: &Case, run: &CallerRun, fixtures: &mut Fixtures) {
        if run.outcome.is_err() || !self.entry.has_effect() {
            self.snapshot = run.after.clone();
            self.keep(case, fixtures);
        }
    }

    fn keep(self, case: &Case, fixtures: &mut Fixtures) {
        // The key does not contain the target.
        let depends_on_target = |setup: &Setup| matches!(setup, Setup::EnterTarget(_));
        if !case.caller.iter().any(depends_on_target) {
            fixtures.add_idle(CallerKey::new(case, self.entry), self);
        }
    }

    /// Runs commands, and keeps the replies that are about the actor itself.
    fn run_commands(&mut self, commands: &[Command]) -> Result<()> {
        for reply in self.actor.run_commands(commands)? {
            match reply {
                Reply::Returned(opened) => {
                    ensure!(opened.is_ok(), "{}: {}", Device::PATH, outcome_name(opened));
                }
                Reply::Semaphore(id) => self.semaphore = Some(RaisedSemaphore(Semaphore(id))),
                Reply::SharedMemory(id) => self.memory = Some(CreatedMemory(SharedMemory(id))),
                Reply::Companion(path) => self.companion = Some(path),
                Reply::Child(path) => self.child = Some(path),
                Reply::Pid(pid) => {
                    let pid = Pid::from_raw(pid as i32).context("pid 0")?;
                    self.perf = NamespacesWatch::new(pid).ok();
                }
                Reply::Snapshot(snapshot) => self.snapshot = self.add_outside_view(snapshot)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Enters namespaces of these kinds of the target.
    fn enter(&mut self, target: &TargetProcess, kinds: u32) -> Result<()> {
        let slot = self.actor.pass_file(target.pidfd()?)?.slot;
        let call = Call::new(Entry::Syscall, slot, kinds as i32);
        let entered = self.actor.call(call)?;
        ensure!(
            entered.is_ok(),
            "cannot enter the target: {}",
            outcome_name(entered)
        );
        self.actor.run_command(&Command::Close)?;
        Ok(())
    }

    /// Sends the file of the call, or returns the source that the actor must open.
    fn send_file(&mut self, fd: &Prepared) -> Result<Option<Source>> {
        match fd {
            Prepared::File(file) => self.actor.send_file(file)?,
            Prepared::ByCaller(source) => return Ok(Some(source.clone())),
            Prepared::OfChild(link) => {
                let child = self.child.as_deref().context("a caller without a child")?;
                self.actor.send_file(match link {
                    Some(link) => fd_source::open_ns(child, link)?,
                    None => fd_source::open_pidfd(child.parse()?)?,
                })?;
            }
        }
        Ok(None)
    }

    /// Opens the file of the call in the first free slot.
    fn open(&mut self, fd: &Prepared) -> Result<()> {
        let command = self.send_file(fd)?.map_or(Command::Take, Command::Open);
        self.actor.run_command(&command).map(drop)
    }

    /// Adds the state that the test sees from the initial namespaces, as root.
    fn add_outside_view(&mut self, mut snapshot: Snapshot) -> Result<Snapshot> {
        if let Some(semaphore) = &self.semaphore {
            snapshot.add("semaphore", semaphore.0.value()?);
        }
        if let Some(memory) = &self.memory {
            snapshot.add("shared_memory/is_orphan", memory.is_orphan()?);
        }
        if let Some(companion) = &self.companion {
            snapshot.add_links(File::open("/proc")?, companion, "companion/ns");
            let shares = Command::Shares(companion.clone());
            let Reply::Shared { files, fs } = self.actor.run_command(&shares)? else {
                bail!("unexpected reply to {shares:?}");
            };
            snapshot.add("shared/files", files);
            snapshot.add("shared/fs", fs);
        }
        if let Some(child) = &self.child {
            snapshot.add_links(File::open("/proc")?, child, OF_CHILD);
        }
        Ok(snapshot)
    }

    /// Returns the call of the case, with the file in the first slot.
    fn call(&self, case: &Case) -> Call {
        let args = match case.call {
            SystemCall::Setns => Args::Setns {
                slot: 0,
                nstype: case.nstype,
            },
            SystemCall::Unshare(flags) => Args::Unshare { flags },
            SystemCall::Clone(flags) => Args::Clone { flags },
        };
        Call {
            entry: self.entry,
            args,
            fail_nth: case.fail_allocation,
            diagnose: case.diagnose && self.entry == case.subject,
        }
    }

    fn repeat(
        &mut self,
        case: &Case,
        fd: &Prepared,
        times: u32,
        in_children: bool,
    ) -> Result<Repeated> {
        self.open(fd)?;
        self.actor.repeat(self.call(case), times, in_children)
    }

    fn run(&mut self, case: &Case, fd: &Prepared, clocks: &ClockBase) -> Result<CallerRun> {
        let prediction = self.predict(case, fd)?;
        let attempt = Command::Attempt {
            source: self.send_file(fd)?,
            call: self.call(case),
            clocks: clocks.clone(),
            children: match case.witnesses {
                Witnesses::All => Children::AndProgram,
                Witnesses::Child => Children::Forked,
            },
        };
        let Reply::Attempted(opened, called, after) = self.actor.run_command(&attempt)? else {
            bail!("unexpected reply to {attempt:?}");
        };
        let Called {
            outcome,
            to_go,
            dry_run,
            diagnosis,
        } = called;
        let records = self.perf.as_mut().map(NamespacesWatch::take);
        let mut after = self.add_outside_view(after)?;
        if outcome.is_ok() && self.entry.has_effect() {
            add_perf_records(&mut after, records.as_deref());
        }
        Ok(CallerRun {
            by: EntryOf(self.entry, case.call),
            opened: opened.inode,
            before: mem::take(&mut self.snapshot),
            outcome,
            to_go,
            dry_run,
            diagnosis,
            prediction,
            after,
        })
    }

    /// Predicts the call from user space, as `nsproxy explain --from` does: the test asks about the
    /// caller. The file must be one of the test. Failures of allocations are not predicted.
    fn predict(&mut self, case: &Case, fd: &Prepared) -> Result<Option<Diagnosis>> {
        if !case.diagnose || case.fail_allocation.is_some() || self.entry == Entry::Device2011 {
            return Ok(None);
        }
        // Nothing shows which of the two a kernel checks: see `checks_fs_copy()`.
        let (kinds, mnt) = (case.nstype as u32, Kind::Mnt.flag());
        let is_copied = case.call == SystemCall::Setns && kinds & mnt != 0 && kinds != mnt;
        if is_copied && kernel::checks_fs_copy() {
            return Ok(None);
        }
        let call = match (case.call, fd) {
            (SystemCall::Setns, Prepared::File(file)) => nsproxy_diagnose::Call::Setns {
                fd: file.as_raw_fd(),
                nstype: case.nstype,
            },
            (SystemCall::Setns, Prepared::ByCaller(_) | Prepared::OfChild(_)) => return Ok(None),
            (SystemCall::Unshare(flags), _) => nsproxy_diagnose::Call::Unshare { flags },
            (SystemCall::Clone(flags), _) => nsproxy_diagnose::Call::Clone { flags },
        };
        let task = Task::of(self.actor.pid()?)?.with_our_files();
        Ok(Some(nsproxy_diagnose::explain(&task, call).into()))
    }
}

/// Adds the number of perf records of the call, and whether the last one agrees with `/proc`.
fn add_perf_records(snapshot: &mut Snapshot, records: Option<&[Vec<u64>]>) {
    let Some(records) = records else {
        return;
    };
    snapshot.add("perf/records", records.len());
    for (link, inode) in NAMESPACES_IN_ORDER
        .iter()
        .zip(records.last().into_iter().flatten())
    {
        let agrees = target::inode(snapshot.link(link)) == Some(*inode);
        let value = if agrees { "as in /proc" } else { "another" };
        snapshot.add(format_args!("perf/{link}"), value);
    }
}
