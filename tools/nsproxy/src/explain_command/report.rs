// SPDX-License-Identifier: GPL-2.0-only

//! The output of a traced run: lines of text, or of JSON.

use super::{
    failure::Failure,
    warnings::{Effect, Warning},
};
use crate::json::Versioned;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    io::{self, Write},
};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Failure(&'a Failure),
    Warning(&'a Warning),
    Note { says: &'a str },
    Summary(&'a Summary),
}

/// The last line.
#[derive(Debug, Serialize)]
struct Summary {
    /// The number of failed calls.
    failed: u64,
    calls: Vec<Count>,
    /// The exit status of the program, as a shell reports it.
    exit_status: i32,
}

/// The number of calls that failed with the same errno.
#[derive(Debug, Serialize)]
struct Count {
    call: &'static str,
    errno: String,
    count: u64,
}

/// Something that limits the report, and is printed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// Calls of another architecture.
    Foreign,
    /// System calls cannot be read.
    Unreadable,
}

impl Note {
    fn says(self) -> &'static str {
        match self {
            Self::Foreign => {
                "calls of 32-bit programs, and of other architectures, are not explained"
            }
            Self::Unreadable => "system calls cannot be read: Linux 5.3 is required",
        }
    }
}

/// Prints what happens to the traced tasks.
pub(super) struct Report {
    output: Box<dyn Write>,
    is_json: bool,
    failed: BTreeMap<(&'static str, String), u64>,
    warned: HashSet<(u32, Effect)>,
    noted: HashSet<Note>,
}

impl Report {
    pub(super) fn new(output: Box<dyn Write>, is_json: bool) -> Self {
        Self {
            output,
            is_json,
            failed: BTreeMap::new(),
            warned: HashSet::new(),
            noted: HashSet::new(),
        }
    }

    pub(super) fn failure(&mut self, failure: &Failure) {
        let key = (failure.call, failure.errno.clone());
        *self.failed.entry(key).or_default() += 1;
        self.print(Event::Failure(failure), failure);
    }

    /// Prints a warning, once for each process.
    pub(super) fn warning(&mut self, warning: &Warning) {
        if self.warned.insert((warning.task.pid, warning.warning)) {
            self.print(Event::Warning(warning), warning);
        }
    }

    /// Prints a note once.
    pub(super) fn note(&mut self, note: Note) {
        if self.noted.insert(note) {
            let says = note.says();
            self.print(Event::Note { says }, says);
        }
    }

    /// Forgets a process that has exited. Its number may be used again.
    pub(super) fn forget(&mut self, pid: u32) {
        self.warned.retain(|(other, _)| *other != pid);
    }

    pub(super) fn summary(&mut self, exit_status: i32) {
        let failed = &self.failed;
        let calls = failed.iter().map(|((call, errno), count)| Count {
            call,
            errno: errno.clone(),
            count: *count,
        });
        let summary = Summary {
            failed: failed.values().sum(),
            calls: calls.collect(),
            exit_status,
        };
        self.print(Event::Summary(&summary), &summary);
    }

    fn print(&mut self, event: Event<'_>, text: impl fmt::Display) {
        let line = match self.is_json {
            true => Versioned::new(event).line() + "\n",
            false => format!("nsproxy: {text}\n"),
        };
        // The program must continue, even if the reader of the report is gone. One write keeps the line
        // together.
        let _: io::Result<()> = self.output.write_all(line.as_bytes());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failed {
            0 => return f.write_str("no call failed"),
            1 => f.write_str("1 call failed: ")?,
            failed => write!(f, "{failed} calls failed: ")?,
        }
        let count = |count: &Count| format!("{} {} {}", count.count, count.call, count.errno);
        let calls: Vec<_> = self.calls.iter().map(count).collect();
        f.write_str(&calls.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{traced_call::TracedCall, traced_task::TracedTask},
        *,
    };
    use nsproxy_diagnose::Call;
    use rustix::{io::Errno, thread::gettid};
    use std::{cell::RefCell, rc::Rc};

    #[derive(Clone, Default)]
    struct Memory(Rc<RefCell<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(is_json: bool, act: impl FnOnce(&mut Report)) -> Vec<String> {
        let memory = Memory::default();
        act(&mut Report::new(Box::new(memory.clone()), is_json));
        let text = String::from_utf8(memory.0.take()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn failure(errno: Errno) -> Failure {
        let call = Call::Setns { fd: -1, nstype: 0 };
        let call = TracedCall {
            name: "setns",
            call,
        };
        Failure::explain(&TracedTask::read(gettid()), call, errno, None)
    }

    #[test]
    fn the_summary_counts_by_call_and_errno() {
        let none = lines(false, |report| report.summary(0));
        assert_eq!(none, ["nsproxy: no call failed"]);
        let lines = lines(false, |report| {
            for errno in [Errno::BADF, Errno::INVAL, Errno::BADF] {
                report.failure(&failure(errno));
            }
            report.summary(1);
        });
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[3],
            "nsproxy: 3 calls failed: 2 setns EBADF, 1 setns EINVAL"
        );
    }

    #[test]
    fn each_line_of_json_is_an_object_with_a_version() {
        let lines = lines(true, |report| {
            report.note(Note::Foreign);
            report.failure(&failure(Errno::BADF));
            report.summary(129);
        });
        let lines: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
        assert_eq!(events, ["note", "failure", "summary"]);
        assert!(lines.iter().all(|line| line["version"] == 1));
        assert_eq!(lines[1]["causes"][0]["reason"], "bad-fd");
        assert_eq!(lines[1]["fd"], -1);
        assert_eq!(lines[2]["exit_status"], 129);
        assert_eq!(lines[2]["calls"][0]["count"], 1);
    }

    #[test]
    fn a_warning_is_printed_once_for_each_process() {
        let mut task = TracedTask::read(gettid());
        let lines = lines(false, |report| {
            let warn = |report: &mut Report, effect| {
                report.warning(&Warning::new(&task, "setns(…)".to_owned(), effect));
            };
            warn(report, Effect::RootMoved);
            warn(report, Effect::RootMoved);
            warn(report, Effect::OldSys);
            report.forget(task.pid);
            warn(report, Effect::RootMoved);
            task.pid += 1;
            report.warning(&Warning::new(&task, String::new(), Effect::RootMoved));
        });
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(
            lines[0].contains("setns(…): warning: root and working"),
            "{lines:?}"
        );
    }
}
