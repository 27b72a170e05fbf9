// SPDX-License-Identifier: GPL-2.0-only

//! The answers of `nsproxy explain` and `nsproxy check`: as lines, and as the JSON document that
//! `docs/cli.md` describes.

use crate::{
    cause::Described,
    errno,
    explainer::{Answer, Explainer, Via},
    from_process::FromProcess,
    json::Versioned,
    open,
    plan::Call,
    request::Request,
};
use nsproxy_diagnose::Task;
use nsproxy_uapi::Kind;
use rustix::io::Errno;
use serde::Serialize;
use std::fmt;

/// The limits of an explanation from user space.
const UNKNOWN_TO_USER_SPACE: &str = "\
explained from user space; not visible: counts and limits of namespaces above the caller's, security \
modules, and tasks that ptrace(2) denies access to";

/// The format of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines about each call, when it is answered.
    Lines,
    /// Nothing: the command prints a line.
    Nothing,
    /// A document at the end.
    Json,
}

/// The answer about a call, or about all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Succeeds,
    Fails,
    /// Checks that cannot be made decide.
    Unknown,
    /// It fails, and is made again after the user namespace is entered.
    Retried,
    /// A call before it fails.
    NotMade,
}

/// The answer about a call.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    call: &'static str,
    /// The call in words.
    text: String,
    /// The kinds that it enters or creates.
    namespaces: Vec<&'static str>,
    /// All flags of the call, including those of the kinds.
    flags: u64,
    result: Outcome,
    /// `true` if no child has made the call.
    predicted: bool,
    errno: Option<String>,
    number: Option<i32>,
    /// The checks that may have refused the call, in the order of the kernel. One is certain. If the call
    /// does not fail: checks that cannot be made, and that may refuse it.
    causes: Vec<Described>,
    #[serde(skip)]
    raw: Option<Errno>,
    /// The words for success.
    #[serde(skip)]
    success: &'static str,
    /// The lines that describe a failure.
    #[serde(skip)]
    failure: String,
}

impl Entry {
    /// Describes the answer about a call of this process.
    pub(crate) fn of_current(request: &Request<'_>, answer: &Answer) -> Self {
        Self::new(request, answer, &Task::current())
    }

    /// Describes the answer about a call of a task.
    pub(crate) fn new(request: &Request<'_>, answer: &Answer, task: &Task) -> Self {
        let described = answer.describe(request, task);
        let errno = answer.errno();
        Self {
            call: request.name(),
            text: request.to_string(),
            namespaces: names(&request.kinds()),
            flags: request.flags(),
            result: answer.outcome(),
            predicted: answer.is_predicted(),
            errno: errno.map(errno::word),
            number: errno.map(Errno::raw_os_error),
            failure: described.to_string(),
            causes: described.causes,
            raw: errno,
            success: request.success(),
        }
    }

    /// Describes a call that is not made, because one before it fails.
    pub(crate) fn not_made(call: &Call) -> Self {
        Self::without_answer(call, Outcome::NotMade)
    }

    /// Describes a call that cannot be predicted: one before it enters a user namespace.
    pub(crate) fn unpredictable(call: &Call) -> Self {
        let says = "a call before it enters a user namespace, which changes the capabilities of the \
                    caller";
        let cause = Described::of("user-ns-entered", says, Vec::new());
        Self {
            causes: vec![cause],
            predicted: true,
            ..Self::without_answer(call, Outcome::Unknown)
        }
    }

    fn without_answer(call: &Call, result: Outcome) -> Self {
        Self {
            call: "setns",
            text: call.to_string(),
            namespaces: names(&call.kinds),
            flags: call.nstype().into(),
            result,
            predicted: false,
            errno: None,
            number: None,
            causes: Vec::new(),
            raw: None,
            success: "",
            failure: String::new(),
        }
    }

    /// Describes a file or process that cannot be opened.
    pub(crate) fn not_opened(failed: &open::Failed) -> Self {
        // The reason and a note are lines of their own.
        let says = failed
            .message
            .replace("\nreason: ", ": ")
            .replace("\nnote: ", "; ");
        let cause = Described::of("open", says.as_str(), failed.hints.clone());
        Self {
            call: "open",
            namespaces: Vec::new(),
            flags: 0,
            result: Outcome::Fails,
            predicted: false,
            errno: Some(errno::word(failed.errno)),
            number: Some(failed.errno.raw_os_error()),
            causes: vec![cause],
            raw: Some(failed.errno),
            success: "",
            failure: failed.to_string(),
            text: says,
        }
    }

    /// Marks a failed call that is made again after the user namespace is entered.
    pub(crate) fn retried(self) -> Self {
        Self {
            result: Outcome::Retried,
            ..self
        }
    }

    /// Returns the names of the causes, joined by `|`.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.causes.iter().map(|cause| cause.reason).collect();
        match &names[..] {
            [] => "unknown".to_owned(),
            names => names.join("|"),
        }
    }

    /// Returns the errno of a failure.
    pub(crate) fn failed_with(&self) -> Option<Errno> {
        self.raw
    }
}

fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name()).collect()
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, success, .. } = self;
        let may_refuse = |f: &mut fmt::Formatter<'_>| {
            let mut causes = self.causes.iter();
            causes.try_for_each(|cause| write!(f, "\nmay refuse: {cause}"))
        };
        match self.result {
            Outcome::Succeeds => {
                write!(f, "{text}: {success}")?;
                may_refuse(f)
            }
            Outcome::Fails => write!(f, "{text}: {}", self.failure),
            Outcome::Unknown => {
                write!(f, "{text}: cannot be predicted")?;
                may_refuse(f)
            }
            Outcome::Retried => {
                let errno = self.errno.as_deref().unwrap_or_default();
                let names = self.names();
                write!(
                    f,
                    "{text}: {errno} {names}, made again after the user namespace is entered"
                )
            }
            Outcome::NotMade => write!(f, "{text}: not made after this failure"),
        }
    }
}

/// All answers.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    /// The source.
    via: Via,
    /// The process that would make the calls; [`None`] for this one.
    from: Option<FromProcess>,
    /// The assumptions of the predictions.
    assumptions: Vec<String>,
    pub(crate) result: Outcome,
    calls: Vec<Entry>,
    #[serde(skip)]
    format: Format,
}

impl Asked {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            via: Via::UserSpace,
            from: None,
            assumptions: Vec::new(),
            result: Outcome::Succeeds,
            calls: Vec::new(),
            format,
        }
    }

    pub(crate) fn set_source(&mut self, explainer: &Explainer) {
        self.via = explainer.via();
    }

    /// Sets the process that would make the calls, which have been added.
    pub(crate) fn set_from(&mut self, from: FromProcess) {
        let opens = self.calls.iter().any(|entry| entry.call == "setns");
        self.assumptions = from.assumptions(opens);
        self.from = Some(from);
    }

    /// Adds an answer, and prints it.
    pub(crate) fn add(&mut self, entry: Entry) {
        if self.format == Format::Lines {
            println!("{entry}");
        }
        self.result = match (self.result, entry.result) {
            (Outcome::Fails, _) | (_, Outcome::Fails) => Outcome::Fails,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            (result, _) => result,
        };
        self.calls.push(entry);
    }

    /// Returns the call that decides the result, if it is not a success.
    pub(crate) fn decisive(&self) -> Option<&Entry> {
        let mut calls = self.calls.iter();
        calls.find(|entry| self.result != Outcome::Succeeds && entry.result == self.result)
    }

    /// Prints the document, or the limits of the source.
    pub(crate) fn finish(&self) {
        match (self.format, &self.from) {
            (Format::Json, _) => println!("{}", Versioned::new(self).pretty()),
            (Format::Nothing, _) => {}
            (Format::Lines, Some(from)) => {
                println!("predicted from user space for {from}, not tried");
                for assumption in &self.assumptions {
                    println!("  assumed: {assumption}");
                }
                if let Some(lines) = from.not_visible() {
                    println!("{lines}");
                }
            }
            (Format::Lines, None) if self.via == Via::UserSpace => {
                println!("{UNKNOWN_TO_USER_SPACE}")
            }
            (Format::Lines, None) => {}
        }
    }
}
