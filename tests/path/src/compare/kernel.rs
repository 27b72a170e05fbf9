// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's side: what is of the path, and where it is.

use super::Comparison;
use crate::document::{Kind, State};
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// The file that is mirrored.
pub(crate) const PATH: &str = "kernel/nsproxy.c";
/// The file that declares every `struct proc_ns_operations`.
const OPERATIONS: &str = "include/linux/proc_ns.h";

impl Comparison<'_> {
    /// Everything that the mirrored file defines.
    pub(super) fn path(&mut self) -> Result<()> {
        let Some(file) = self.kernel.file(PATH)? else {
            bail!("no {PATH}: --kernel is the source of a kernel");
        };
        let names: Vec<_> = file.functions.keys().cloned().collect();
        let unread = file.unread.clone();
        for name in names {
            self.want(&name, &format!("is defined in {PATH}"));
        }
        for lines in unread {
            self.complain(
                None,
                format!(
                    "lines {} to {} of {PATH} cannot be parsed",
                    lines.start(),
                    lines.end()
                ),
                "a function may be lost in there: a newer tree-sitter-c may know what it is",
            );
        }
        Ok(())
    }

    /// Every table of operations that the kernel declares, as it is.
    pub(super) fn operations(&mut self) -> Result<()> {
        let declared = match self.kernel.file(OPERATIONS)? {
            Some(file) => file.declared.clone(),
            None => BTreeSet::new(),
        };
        let mut told = BTreeSet::new();
        for kind in &self.document.kinds {
            told.insert(kind.table.clone());
            self.kind(kind)?;
        }
        for table in declared.difference(&told) {
            self.complain(
                None,
                format!("`{table}` is declared in {OPERATIONS}, and is in no row"),
                "add one to the table of operations: a new kind of namespace, or a new file of one",
            );
        }
        for table in told.difference(&declared) {
            self.complain(
                None,
                format!("`{table}` is not declared in {OPERATIONS}"),
                "the kernel has it no more, or calls it otherwise: change its row",
            );
        }
        Ok(())
    }

    fn kind(&mut self, kind: &Kind) -> Result<()> {
        let table = self
            .kernel
            .file(&kind.file)?
            .and_then(|file| file.tables.get(&kind.table))
            .cloned();
        let Some(table) = table else {
            self.complain(
                Some(kind.line),
                format!("{} does not define `{}`", kind.file, kind.table),
                "name the file that does",
            );
            return Ok(());
        };
        for (operation, function) in &table {
            self.want(
                &format!(".{operation}"),
                &format!("is an operation of `{}`", kind.table),
            );
            if kind.operations.get(operation) != Some(function) {
                self.complain(
                    Some(kind.line),
                    format!("`.{operation}` of `{}` is `{function}()`", kind.table),
                    "read it, and write it there",
                );
            }
        }
        for (operation, function) in &kind.operations {
            if !table.contains_key(operation) {
                self.complain(
                    Some(kind.line),
                    format!("`{}` has no `.{operation}`, `{function}()`", kind.table),
                    "remove it there",
                );
            }
        }
        Ok(())
    }

    /// Each function is where its row says.
    pub(super) fn definitions(&mut self) -> Result<()> {
        for row in &self.document.rows {
            let mut homeless: BTreeSet<&str> = row.names.iter().map(String::as_str).collect();
            // Operations are members of a struct, and compared as such.
            homeless.retain(|name| !name.starts_with('.'));
            let mut idle = Vec::new();
            for name in &row.files {
                let Some(file) = self.kernel.file(name)? else {
                    self.complain(
                        Some(row.line),
                        format!("the kernel has no {name}"),
                        "name the file that defines what is in the row",
                    );
                    continue;
                };
                homeless.retain(|function| !file.defines(function));
                if !row.names.iter().any(|function| file.defines(function)) {
                    idle.push(name);
                }
            }
            if homeless.is_empty() && row.files.len() > 1 {
                for name in idle {
                    self.complain(
                        Some(row.line),
                        format!("{name} defines nothing of what is in the row"),
                        "remove it",
                    );
                }
            }
            for function in &homeless {
                self.complain(
                    Some(row.line),
                    format!(
                        "`{function}()` is not defined in {}",
                        row.files.join(" or ")
                    ),
                    "name the file that defines it; if the kernel has it no more, see what it has \
                     instead, change the module if it has to follow, and remove the row",
                );
            }
            self.homeless.extend(homeless);
        }
        Ok(())
    }

    /// What is called by what the module has to know from inside.
    pub(super) fn callees(&mut self) -> Result<()> {
        for row in &self.document.rows {
            for name in &row.names {
                match (row.state, name.strip_prefix('.')) {
                    (State::AskedAgain, Some(operation)) => {
                        for kind in &self.document.kinds {
                            if let Some(function) = kind.operations.get(operation) {
                                self.callees_of(function, std::slice::from_ref(&kind.file))?;
                            }
                        }
                    }
                    (State::Mirrored, None) => self.callees_of(name, &row.files)?,
                    _ => (),
                }
            }
        }
        Ok(())
    }

    fn callees_of(&mut self, function: &str, files: &[String]) -> Result<()> {
        for file in files {
            let Some((calls, is_garbled)) = self.calls(function, file)? else {
                continue;
            };
            if is_garbled {
                self.complain(
                    None,
                    format!("`{function}()` of {file} cannot be parsed"),
                    "a call may be lost in there: a newer tree-sitter-c may know what it is",
                );
            }
            for call in calls {
                self.want(&call, &format!("is called by `{function}()` of {file}"));
            }
        }
        Ok(())
    }

    /// What a function calls, and whether some of it may be lost.
    pub(super) fn calls(
        &mut self,
        function: &str,
        file: &str,
    ) -> Result<Option<(BTreeSet<String>, bool)>> {
        Ok(self.kernel.file(file)?.map(|file| {
            let calls = file.definitions(function).flat_map(|it| &it.calls);
            let is_garbled = file.definitions(function).any(|it| it.is_garbled);
            (calls.cloned().collect(), is_garbled)
        }))
    }

    /// The reverse of [`want`](Self::want).
    pub(super) fn is_each_on_the_path(&mut self) {
        let rows = self.rows.clone();
        for (name, row) in rows {
            if !self.on_the_path.contains(name) && !self.homeless.contains(name) {
                self.complain(
                    Some(row.line),
                    format!("nothing on the path calls `{name}`"),
                    "see what the kernel calls instead, change the module if it has to follow, and \
                     remove it from the row",
                );
            }
        }
    }
}
