// SPDX-License-Identifier: GPL-2.0-only

//! The rules: what the kernel has the document must have, and the other way round.
//!
//! Which functions are of the path is not for the document to say. They are:
//!
//! - all of [`PATH`](kernel::PATH), on the way of setns(2) or not;
//! - those of every `struct proc_ns_operations`;
//! - what is called by one that is mirrored, or asked again. Where the module calls the kernel it
//!   gets what the kernel has, whatever that calls; where it does the same in its own words, it has
//!   to know each call.

mod kernel;
mod module;

use crate::{
    c::Tree,
    document::{self, Document, Row},
    module::Module,
};
use anyhow::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something that does not fit.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// The line of the document, if there is one.
    line: Option<usize>,
    /// What it is.
    what: String,
    /// What to do.
    remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", document::PATH)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n    {}", self.what, self.remedy)
    }
}

/// What does not fit; nothing if all does.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn compare(
    document: &Document,
    module: &Module,
    kernel: &mut Tree,
) -> Result<Vec<Complaint>> {
    let mut comparison = Comparison {
        document,
        module,
        kernel,
        rows: BTreeMap::new(),
        on_the_path: BTreeSet::new(),
        homeless: BTreeSet::new(),
        complaints: Vec::new(),
    };
    comparison.index();
    comparison.path()?;
    comparison.operations()?;
    comparison.definitions()?;
    comparison.callees()?;
    comparison.is_each_on_the_path();
    comparison.links();
    comparison.rows();
    comparison.symbols();
    Ok(comparison.complaints)
}

struct Comparison<'a> {
    document: &'a Document,
    module: &'a Module,
    kernel: &'a mut Tree,
    /// By function.
    rows: BTreeMap<&'a str, &'a Row>,
    /// Each function that the kernel has on the path.
    on_the_path: BTreeSet<String>,
    /// Functions of which there is nothing more to say than that they are not where they should be.
    homeless: BTreeSet<&'a str>,
    complaints: Vec<Complaint>,
}

impl<'a> Comparison<'a> {
    fn complain(&mut self, line: Option<usize>, what: String, remedy: impl Into<String>) {
        self.complaints.push(Complaint {
            line,
            what,
            remedy: remedy.into(),
        });
    }

    /// One row for each function.
    fn index(&mut self) {
        for row in &self.document.rows {
            for name in &row.names {
                if let Some(other) = self.rows.insert(name, row) {
                    self.complain(
                        Some(row.line),
                        format!("`{name}` is in line {} as well", other.line),
                        "remove one of the two",
                    );
                }
            }
        }
    }

    /// A function is on the path, for a reason in words that follow its name: it has a row, or that
    /// is said once.
    fn want(&mut self, name: &str, why: &str) {
        if !self.on_the_path.insert(name.to_owned()) {
            return;
        }
        if !self.rows.contains_key(name) {
            self.complain(
                None,
                format!("`{name}` {why}, and is in no row"),
                "read it, change the module if it has to follow, and add a row that says what \
                 mirrors it, what calls it, or why it is left out",
            );
        }
    }
}

#[cfg(test)]
mod tests;
