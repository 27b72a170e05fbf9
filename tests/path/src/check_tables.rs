// SPDX-License-Identifier: GPL-2.0-only

//! The tables of `docs/checks.md`: a row for each check of setns(2), unshare(2) and clone(2), in the
//! order of the kernel.
//!
//! The ids, the words and the reasons are written by hand. The errnos, the places in the kernel and
//! the links to the module are generated. Each row needs a case, and each id in a case a row.

use crate::{
    c::Tree,
    files,
    markdown::{Document, codes},
    module::{Item, Module},
};
use anyhow::Result;
use nsproxy_uapi::{Kind, Place, Reason};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The source of the cases.
const CASES: &str = "tests/guest/src/suites";
/// The enum of the module that has the reasons.
const ENUM: &str = "Reason";

/// Updates the generated cells of `document`. Returns complaints about the others.
///
/// # Errors
///
/// A file cannot be read, or a table has other columns.
pub(crate) fn update(
    document: &mut Document,
    module: &Module,
    kernel: &mut Tree,
) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let cases = Cases::read(&module.root.join(CASES))?;
    let mut ids = BTreeSet::new();
    let mut reasons = BTreeSet::new();
    for table in &mut document.tables {
        let Ok(reason) = table.column("reason") else {
            continue;
        };
        let (errno, place) = (table.column("errno")?, table.column("kernel")?);
        let [id, kind, module_column] = ["id", "kind", "module"].map(|it| table.column(it).ok());
        let mut positions = BTreeMap::new();
        for row in &mut table.rows {
            let name = codes(&row[reason]).concat();
            let Some(it) = Reason::ALL.iter().find(|it| it.name() == name) else {
                complaints.push(format!("unknown reason {name:?}"));
                continue;
            };
            reasons.insert(it.number());
            let kind =
                kind.and_then(|kind| Kind::ALL.into_iter().find(|it| it.name() == row[kind]));
            row[errno] = errno_of(*it);
            let items = items_of(module, *it);
            // The module does not load on a kernel without all kinds.
            if items.is_empty() && *it != Reason::Unsupported {
                complaints.push(format!("no item of the module refuses for {name:?}"));
            }
            if let Some(column) = module_column {
                row[column] = items;
            }
            row[place] = String::new();
            if let Some(found) = it.place(kind) {
                row[place] = in_document(&found);
                match position(&kernel.text(found.file)?, &found) {
                    None => complaints.push(format!("the kernel has no {found}")),
                    Some(at) if positions.insert(found.function, at) > Some(at) => {
                        complaints.push(format!("{found} is before the check of the row above"));
                    }
                    Some(_) => (),
                }
            }
            let is_tested = match id {
                Some(id) => cases.ids.contains(&row[id]),
                None => cases.reasons.contains(&format!("{it:?}")),
            };
            if !is_tested {
                complaints.push(format!("no case for {}", row.join(" | ")));
            }
            ids.extend(id.map(|id| row[id].clone()));
        }
    }
    for id in cases.ids.difference(&ids) {
        complaints.push(format!("{id} is in the name of a case, but has no row"));
    }
    for reason in Reason::ALL
        .iter()
        .filter(|it| !reasons.contains(&it.number()))
    {
        complaints.push(format!("no row for the reason {:?}", reason.name()));
    }
    Ok(complaints)
}

fn errno_of(reason: Reason) -> String {
    let name = match reason.errno().map(|errno| errno.raw_os_error()) {
        Some(libc::EPERM) => "EPERM",
        Some(libc::ESRCH) => "ESRCH",
        Some(libc::EBADF) => "EBADF",
        Some(libc::ENOMEM) => "ENOMEM",
        Some(libc::EINVAL) => "EINVAL",
        Some(libc::EUSERS) => "EUSERS",
        Some(libc::ENOSPC) => "ENOSPC",
        Some(libc::EAGAIN) => "EAGAIN",
        Some(other) => return format!("errno {other}"),
        None => return "any".to_owned(),
    };
    format!("`{name}`")
}

/// Returns links to the items that refuse for a reason.
fn items_of(module: &Module, reason: Reason) -> String {
    let reason = format!("{ENUM}::{reason:?}");
    let uses = |item: &&Item| item.contains(&reason);
    let is_of_enum = |item: &&Item| item.name.starts_with(ENUM);
    let items = module
        .items
        .iter()
        .filter(|item| uses(item) && !is_of_enum(item));
    items.map(Item::link).collect::<Vec<_>>().join(", ")
}

fn in_document(place: &Place) -> String {
    format!(
        "`{}` in `{}()`, `{}`",
        place.check, place.function, place.file
    )
}

/// Returns the position of a check in its function.
fn position(source: &str, place: &Place) -> Option<usize> {
    let Place {
        check, function, ..
    } = place;
    // The second one is setns() itself.
    let names = [
        format!("{function}("),
        format!("SYSCALL_DEFINE2({function},"),
    ];
    let mut functions = source.split("\n}\n");
    functions.find_map(|text| {
        let is_named = names.iter().any(|name| text.contains(name));
        text.find(check).filter(|_| is_named)
    })
}

/// The ids and reasons in the cases of the guest tests.
#[derive(Default)]
struct Cases {
    ids: BTreeSet<String>,
    reasons: BTreeSet<String>,
}

impl Cases {
    fn read(dir: &Path) -> Result<Self> {
        let mut cases = Self::default();
        for path in files(dir)? {
            cases.add(&fs::read_to_string(&path)?);
        }
        Ok(cases)
    }

    fn add(&mut self, source: &str) {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let lines = source.lines().map(str::trim_start);
        for line in lines.filter(|line| !line.starts_with("//")) {
            let strings = line.split('"').skip(1).step_by(2);
            let words = strings.flat_map(|string| string.split(|c| !is_of_word(c)));
            self.ids
                .extend(words.filter(|word| is_id(word)).map(str::to_owned));
            let reasons = line.split("Reason::").skip(1);
            let reasons = reasons.filter_map(|rest| rest.split(|c| !is_of_word(c)).next());
            self.reasons.extend(reasons.map(str::to_owned));
        }
    }
}

/// Returns whether a word is the id of a row: `E` for entry, `P` for prepare, `V` for validate, `U`
/// for unshare, `C` for clone.
fn is_id(word: &str) -> bool {
    matches!(
        word.as_bytes(),
        [b'E' | b'P' | b'V' | b'U' | b'C', b'1'..=b'9']
    )
}

#[cfg(test)]
mod tests {
    use super::{Cases, Place, position};

    #[test]
    fn a_check_is_found_in_its_function_only() {
        let text = "int one(void)\n{\n\tif (a != b)\n\t\treturn 1;\n}\nint two(void)\n{\n}\n";
        let place = |function| Place {
            check: "a != b",
            function,
            file: "x.c",
        };
        assert_eq!(position(text, &place("one")), Some(21));
        assert_eq!(position(text, &place("two")), None);
    }

    #[test]
    fn ids_and_reasons_of_cases_are_found() {
        let source = "// E9\ncase(\"V2 before V3: a\", Reason::BadFd);\n";
        let mut cases = Cases::default();
        cases.add(source);
        assert!(cases.ids.iter().eq(["V2", "V3"]));
        assert!(cases.reasons.iter().eq(["BadFd"]));
    }
}
