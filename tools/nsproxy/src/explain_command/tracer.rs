// SPDX-License-Identifier: GPL-2.0-only

//! The tracer: runs tasks from one system call to the next, and reports those that fail.

use super::{
    failure::Failure,
    refusals::Refusals,
    report::{Note, Report},
    sys::{self, SystemCallStop},
    traced_call::{self, TracedCall},
    traced_task::TracedTask,
    warnings::{self, Warning},
};
use nsproxy_diagnose::Call;
use nsproxy_uapi::Refusal;
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, WaitStatus, wait},
};
use std::{
    collections::{HashMap, HashSet},
    ffi::c_int,
};

/// The results of system calls that a signal has interrupted, and that the kernel restarts or turns into
/// `EINTR`: `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`.
const RESTARTS: [i32; 4] = [512, 513, 514, 516];

/// The state of a traced task.
#[derive(Debug, Default)]
struct State {
    /// The call between its entry and its exit, if it is one that is explained.
    call: Option<TracedCall>,
    /// Effects of setns(2) that matter when the task runs something.
    pending: Vec<Warning>,
}

/// Traces a program with all its threads and children.
pub(super) struct Tracer {
    program: Pid,
    /// The exit status of the program; [`None`] while it runs.
    status: Option<WaitStatus>,
    /// `true` after the first execve(2) of the program.
    pub(super) was_executed: bool,
    tasks: HashMap<Pid, State>,
    /// The refusals that the module reports.
    refusals: Option<Refusals>,
    pub(super) report: Report,
}

impl Tracer {
    pub(super) fn new(program: Pid, refusals: Option<Refusals>, report: Report) -> Self {
        Self {
            program,
            status: None,
            was_executed: false,
            tasks: HashMap::from([(program, State::default())]),
            refusals,
            report,
        }
    }

    /// Traces until all tasks have exited. After the program has exited, a signal that ends programs
    /// ends the tracing. Returns the exit status of the program.
    ///
    /// # Errors
    ///
    /// Errors of wait(2).
    pub(super) fn run(&mut self) -> Result<Option<WaitStatus>, Errno> {
        loop {
            for (task, status) in match stopped_tasks() {
                Err(Errno::CHILD) => return Ok(self.status),
                // A signal. One between this and the next call is without effect until a task stops.
                Err(Errno::INTR) => Vec::new(),
                stopped => stopped?,
            } {
                self.handle(task, status);
            }
            if self.status.is_some() && sys::was_interrupted() {
                self.detach_all();
                return Ok(self.status);
            }
        }
    }

    /// Handles a stop or the end of a task, and lets it continue.
    fn handle(&mut self, task: Pid, status: WaitStatus) {
        let Some(stop) = Stop::of(status) else {
            let state = self.tasks.remove(&task).unwrap_or_default();
            for warning in state.pending {
                self.report.warning(&warning);
            }
            // The number of a thread is that of no process.
            self.report.forget(task.as_raw_pid().cast_unsigned());
            if task == self.program {
                self.status = Some(status);
            }
            return;
        };
        // A new task may stop before its creator does.
        self.tasks.entry(task).or_default();
        match stop {
            Stop::SystemCall => self.at_system_call(task),
            Stop::Exec => self.at_exec(task),
            Stop::Creator | Stop::Group | Stop::Signal(_) | Stop::Other => {}
        }
        // ESRCH: the task was killed. The next status of it is the last one.
        let _: Result<(), Errno> = match stop {
            Stop::Group => sys::listen(task),
            stop => sys::resume(task, stop.signal()),
        };
    }

    fn at_system_call(&mut self, task: Pid) {
        let state = self.tasks.entry(task).or_default();
        let entered = state.call.take();
        match (sys::system_call(task), entered) {
            (Ok(SystemCallStop::Entry { arch, number, .. }), _)
                if traced_call::is_foreign(arch, number) =>
            {
                self.report.note(Note::Foreign);
            }
            (Ok(SystemCallStop::Entry { number, args, .. }), _) => {
                let read = |address| sys::read_u64(task, address).ok();
                state.call = TracedCall::decode(number, args, read);
                if state.call.is_some() {
                    // Of another call, such as a dry run.
                    self.take_refusal(task);
                }
            }
            (Ok(SystemCallStop::Exit(result)), Some(call)) => self.at_exit(task, call, result),
            (Ok(_) | Err(Errno::SRCH), _) => {}
            (Err(_), _) => self.report.note(Note::Unreadable),
        }
    }

    /// Handles the exit of a call that is explained.
    fn at_exit(&mut self, task: Pid, call: TracedCall, result: Result<i64, Errno>) {
        match result {
            Err(errno) if RESTARTS.contains(&errno.raw_os_error()) => {}
            Err(errno) => {
                let refusal = self.take_refusal(task);
                let task = TracedTask::read(task);
                self.report
                    .failure(&Failure::explain(&task, call, errno, refusal));
            }
            Ok(_) if matches!(call.call, Call::Setns { .. }) => self.at_entered(task, call),
            Ok(_) if call.creates_process() => self.report_pending(task),
            Ok(_) => {}
        }
    }

    /// Returns the refusal that the module has reported for a task since the last time.
    fn take_refusal(&mut self, task: Pid) -> Option<Refusal> {
        self.refusals.as_mut()?.take(task)
    }

    /// Handles a setns(2) that has succeeded.
    fn at_entered(&mut self, number: Pid, call: TracedCall) {
        let task = TracedTask::read(number);
        let state = self.tasks.entry(number).or_default();
        // It may have returned to its former namespaces.
        let holds = |warning: &Warning| warning.warning.holds(&task);
        state.pending.retain(holds);
        for warning in warnings::of_setns(&task, call) {
            match warning.warning.is_for_later() {
                true => state.pending.push(warning),
                false => self.report.warning(&warning),
            }
        }
    }

    /// Reports the effects of earlier calls that a task still has when it runs something.
    fn report_pending(&mut self, number: Pid) {
        let state = self.tasks.entry(number).or_default();
        if state.pending.is_empty() {
            return;
        }
        let task = TracedTask::read(number);
        for warning in std::mem::take(&mut state.pending) {
            if warning.warning.holds(&task) {
                self.report.warning(&warning);
            }
        }
    }

    fn at_exec(&mut self, process: Pid) {
        self.was_executed = true;
        // The thread has become the leader of its process.
        if let Ok(Some(thread)) = sys::related_task(process)
            && let Some(state) = self.tasks.remove(&thread)
        {
            self.tasks.insert(process, state);
        }
        self.report_pending(process);
        for warning in warnings::of_exec(&TracedTask::read(process)) {
            self.report.warning(&warning);
        }
    }

    /// Stops tracing the tasks that are left, including those that they create meanwhile: at the exit of
    /// this process the kernel kills those that it traces.
    fn detach_all(&mut self) {
        let is_interrupted = |task: &Pid| sys::interrupt(*task).is_ok();
        let mut left: HashSet<_> = self.tasks.drain().map(|(task, _)| task).collect();
        left.retain(is_interrupted);
        let mut detached = HashSet::new();
        while !left.is_empty() {
            let (task, status) = match wait(WaitOptions::from_bits_retain(libc::__WALL as u32)) {
                Ok(Some(found)) => found,
                Err(Errno::INTR) => continue,
                Ok(None) | Err(_) => return,
            };
            left.remove(&task);
            detached.insert(task);
            let Some(stop) = Stop::of(status) else {
                continue;
            };
            if stop == Stop::Creator
                && let Ok(Some(new)) = sys::related_task(task)
                && !detached.contains(&new)
            {
                left.insert(new);
            }
            // ESRCH: the task was killed.
            let _ = sys::detach(task, stop.signal());
        }
    }
}

/// A stop of a traced task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// At the entry or exit of a system call.
    SystemCall,
    /// After execve(2).
    Exec,
    /// All tasks of the process are stopped, by SIGSTOP or a similar signal.
    Group,
    /// Before a signal is delivered.
    Signal(c_int),
    /// After the creation of a task.
    Creator,
    /// A new task, or after a group-stop.
    Other,
}

impl Stop {
    /// Decodes the status of a task; [`None`] if it has exited.
    fn of(status: WaitStatus) -> Option<Self> {
        let signal = status.stopping_signal()?;
        Some(match (status.as_raw() >> 16, signal) {
            (0, sys::SYSTEM_CALL_STOP) => Self::SystemCall,
            (0, signal) => Self::Signal(signal),
            (libc::PTRACE_EVENT_EXEC, _) => Self::Exec,
            (libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE, _) => {
                Self::Creator
            }
            (libc::PTRACE_EVENT_STOP, signal) if signal != libc::SIGTRAP => Self::Group,
            _ => Self::Other,
        })
    }

    /// Returns the signal to deliver, or 0.
    fn signal(self) -> c_int {
        match self {
            Self::Signal(signal) => signal,
            _ => 0,
        }
    }
}

/// Waits until tasks have stopped or exited. Returns each with its last status.
///
/// All are collected before one of them continues: wait(2) prefers new tasks, and a few that make many
/// calls would starve the others.
///
/// # Errors
///
/// `ECHILD`: all tasks have exited; `EINTR`.
fn stopped_tasks() -> Result<Vec<(Pid, WaitStatus)>, Errno> {
    let any = WaitOptions::from_bits_retain(libc::__WALL as u32);
    let mut stopped: Vec<_> = wait(any)?.into_iter().collect();
    while let Ok(Some((task, status))) = wait(any | WaitOptions::NOHANG) {
        // A stopped task was killed, or another thread has become the leader.
        stopped.retain(|(other, _)| *other != task);
        stopped.push((task, status));
    }
    Ok(stopped)
}
