// SPDX-License-Identifier: GPL-2.0-only

//! The module's side: what is said of it is so.

use super::Comparison;
use crate::{
    document::{Row, State},
    module,
};

impl Comparison<'_> {
    /// Each link leads to what it names, in a table or not.
    pub(super) fn links(&mut self) {
        for link in &self.document.links {
            if !self.module.has(&link.item, &link.file) {
                self.complain(
                    Some(link.line),
                    format!("{} has no `{}`", link.file, link.item),
                    "name the item that is meant, and the file that it is in",
                );
            }
        }
    }

    /// What each row says of the module is so.
    pub(super) fn rows(&mut self) {
        for row in &self.document.rows {
            match row.state {
                State::Mirrored | State::InPart => self.is_mirrored(row),
                State::Called => self.is_called(row),
                State::AskedAgain if row.links.is_empty() => self.complain(
                    Some(row.line),
                    format!(
                        "`{}` is asked again, and it is not said where",
                        row.names[0]
                    ),
                    "link to the item that asks",
                ),
                State::Inside | State::Idiom | State::LeftOut if !row.has_words => self.complain(
                    Some(row.line),
                    format!(
                        "`{}` is {}, and it is not said why",
                        row.names[0], row.state
                    ),
                    "say it in the last column",
                ),
                _ => (),
            }
        }
    }

    /// Who looks for the C function finds the item: by its name, or in rustdoc by an alias.
    fn is_mirrored(&mut self, row: &Row) {
        for name in &row.names {
            let is_named = row.links.iter().any(|link| {
                let file = self.module.rust.get(&link.file);
                file.is_some_and(|file| file.is_named(&link.item, name))
            });
            if !is_named {
                self.complain(
                    Some(row.line),
                    format!("`{name}()` is {}, and no item of the row is named so", row.state),
                    format!(
                        "link to the item, and give it #[doc(alias = \"{name}\")] if it has another \
                         name"
                    ),
                );
            }
        }
    }

    /// The module calls it: by symbols.def, from C or Rust, or with an operation that does.
    fn is_called(&mut self, row: &Row) {
        for name in &row.names {
            let static_call = format!("nsproxy_rs_{name}");
            let is_symbol = self.module.symbols.contains(name);
            let is_called = row.links.iter().any(|link| {
                let rust = self.module.rust.get(&link.file);
                let c = self.module.c.get(&link.file);
                let is_it = |call: &String| call == name || is_symbol && *call == static_call;
                rust.is_some_and(|file| file.says(name.trim_start_matches('.')))
                    || c.is_some_and(|file| file.calls().any(is_it))
            });
            if !is_called && !self.is_called_by_operation(name) {
                self.complain(
                    Some(row.line),
                    format!("`{name}` is called, and no file of the row calls it"),
                    "link to the item that does",
                );
            }
        }
    }

    fn is_called_by_operation(&mut self, name: &str) -> bool {
        for row in &self.document.rows {
            if row.state != State::Called {
                continue;
            }
            for operation in row.names.iter().filter_map(|name| name.strip_prefix('.')) {
                for kind in &self.document.kinds {
                    let Some(function) = kind.operations.get(operation) else {
                        continue;
                    };
                    // What cannot be read was complained about.
                    if let Ok(Some((calls, _))) = self.calls(function, &kind.file)
                        && calls.contains(name)
                    {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whatever the module finds by name is called.
    pub(super) fn symbols(&mut self) {
        for symbol in &self.module.symbols {
            let row = self.rows.get(symbol.as_str());
            if row.is_none_or(|row| row.state != State::Called) {
                self.complain(
                    row.map(|row| row.line),
                    format!(
                        "{} has `{symbol}`, and no row says that it is called",
                        module::SYMBOLS
                    ),
                    "say so, or remove it from the list",
                );
            }
        }
    }
}
