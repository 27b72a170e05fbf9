// SPDX-License-Identifier: GPL-2.0-only

//! The tables of `docs/path.md`: a row for each C function of the path.
//!
//! The functions, their files, their states and the remarks are written by hand. The links to the
//! module and the table of operations are generated. The path consists of:
//!
//! - every function of [`PATH`], whether setns(2) calls it or not;
//! - the system calls of other files that the module mirrors: [`ENTRIES`];
//! - every operation of every `struct proc_ns_operations`;
//! - the functions of each operation that is mirrored;
//! - the callees of each function that is mirrored. The module repeats such a function and so has
//!   to follow each of its calls. A function that is called brings its own.
//!
//! A row whose remark begins with [`OFF_THE_PATH`] is for a function that the module calls for a
//! reason of its own.

use crate::{
    c::Tree,
    markdown::{Document, Table, codes},
    module::Module,
};
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// The mirrored file.
const PATH: &str = "kernel/nsproxy.c";
/// The functions at which the path begins in other files.
const ENTRIES: [&str; 1] = ["ksys_unshare"];
/// The beginning of the remark about a function that is not on the path.
const OFF_THE_PATH: &str = "not on the path: ";
/// The file that declares every `struct proc_ns_operations`.
const OPERATIONS: &str = "include/linux/proc_ns.h";

/// A row for a function.
struct Row {
    /// The file that defines the function.
    file: String,
    /// The relation of the module to the function.
    state: String,
    is_off_the_path: bool,
}

/// The operations of a kind.
struct Kind {
    name: String,
    file: String,
    /// The function of each operation.
    functions: BTreeMap<String, String>,
}

/// Updates the generated cells of `document`. Returns complaints about the others.
///
/// # Errors
///
/// A file of the kernel cannot be read, or a table has other columns.
pub(crate) fn update(
    document: &mut Document,
    module: &Module,
    kernel: &mut Tree,
) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut rows = BTreeMap::new();
    let tables = document.tables.iter_mut();
    for table in tables.filter(|table| table.header[0] == "C") {
        update_functions(table, module, kernel, &mut rows, &mut complaints)?;
    }
    let kinds = kinds(kernel, &rows, &mut complaints)?;
    for table in &mut document.tables {
        if table.header[0] == "operations" {
            table.rows = kinds
                .iter()
                .map(|kind| operations(kind, &table.header))
                .collect();
        }
    }

    let path = path(kernel, &rows, &kinds, &mut complaints)?;
    for (name, why) in path.iter().filter(|(name, _)| !rows.contains_key(*name)) {
        complaints.push(format!(
            "`{name}` has no row, but is {why}: add one, and change the module if it has to follow"
        ));
    }
    let on_the_path = rows.iter().filter(|(_, row)| !row.is_off_the_path);
    for (name, _) in on_the_path.filter(|(name, _)| !path.contains_key(*name)) {
        complaints.push(format!(
            "`{name}` is not called on the path: find its replacement in the kernel, or remove it"
        ));
    }
    for symbol in &module.symbols {
        if rows.get(symbol).is_none_or(|row| row.state != "called") {
            complaints.push(format!(
                "`{symbol}` is in symbols.def, but has no row with \"called\""
            ));
        }
    }
    Ok(complaints)
}

/// Reads the rows of a table, and updates its column `Rust`.
fn update_functions(
    table: &mut Table,
    module: &Module,
    kernel: &mut Tree,
    rows: &mut BTreeMap<String, Row>,
    complaints: &mut Vec<String>,
) -> Result<()> {
    let [here, rust, remark] = ["here", "Rust", "remark"].map(|name| table.column(name));
    let (here, rust, remark) = (here?, rust?, remark?);
    let file_column = table.column("in").ok();
    for row in &mut table.rows {
        ensure!(
            row.len() == table.header.len(),
            "{}: wrong number of cells",
            row[0]
        );
        let file = file_column.map_or(PATH.to_owned(), |column| codes(&row[column]).concat());
        let mut links = Vec::new();
        for name in codes(&row[0]) {
            if !name.starts_with('.') && !kernel.file(&file)?.definitions.contains_key(&name) {
                complaints.push(format!(
                    "`{name}` is not defined in `{file}`: find it or its replacement in the kernel"
                ));
            }
            let (new, mistake) = links_of(module, &name, &row[here], &row[remark]);
            complaints.extend(mistake.map(|mistake| format!("`{name}`: {mistake}")));
            links.extend(new);
            let state = row[here].clone();
            let new = Row {
                file: file.clone(),
                state,
                is_off_the_path: row[remark].starts_with(OFF_THE_PATH),
            };
            if rows.insert(name.clone(), new).is_some() {
                complaints.push(format!("`{name}` has two rows: remove one"));
            }
        }
        let mut unique = BTreeSet::new();
        links.retain(|link| unique.insert(link.clone()));
        row[rust] = links.join(", ");
    }
    Ok(())
}

/// Returns links to the items for a function, and the reason if its state is wrong.
fn links_of(
    module: &Module,
    name: &str,
    state: &str,
    remark: &str,
) -> (Vec<String>, Option<&'static str>) {
    let mirrors = module.mirrors(name);
    let (links, is_right, mistake) = match state {
        "mirrored" | "in part" => {
            let is_named = !mirrors.is_empty();
            (mirrors, is_named, "no item has this name or #[doc(alias)]")
        }
        "called" => {
            let callers = module.callers(name);
            let is_called = !callers.is_empty();
            let links = if mirrors.is_empty() { callers } else { mirrors };
            (links, is_called, "the module does not call it")
        }
        "inside" | "idiom" | "left out" => (
            Vec::new(),
            !remark.is_empty(),
            "the remark does not give the reason",
        ),
        _ => (Vec::new(), false, "unknown word in the column \"here\""),
    };
    (links, (!is_right).then_some(mistake))
}

/// Finds the operations of each kind, in the order of their declarations.
fn kinds(
    kernel: &mut Tree,
    rows: &BTreeMap<String, Row>,
    complaints: &mut Vec<String>,
) -> Result<Vec<Kind>> {
    let files: BTreeSet<_> = rows.values().map(|row| &row.file).collect();
    let mut kinds = Vec::new();
    for name in kernel.file(OPERATIONS)?.declared.clone() {
        let before = kinds.len();
        for file in &files {
            if let Some(functions) = kernel.file(file)?.tables.get(&name) {
                kinds.push(Kind {
                    name: name.clone(),
                    file: (*file).clone(),
                    functions: functions.clone(),
                });
            }
        }
        if kinds.len() == before {
            complaints.push(format!(
                "no file in the tables defines `{name}`: add a row for a function of its file"
            ));
        }
    }
    Ok(kinds)
}

/// Returns the row of a kind in the table of operations.
fn operations(kind: &Kind, header: &[String]) -> Vec<String> {
    let cell = |column: &String| match column.as_str() {
        "operations" => format!("`{}`", kind.name),
        "in" => format!("`{}`", kind.file),
        operation => {
            let function = kind.functions.get(operation.trim_matches(['`', '.']));
            function.map_or_else(String::new, |name| format!("`{name}()`"))
        }
    };
    header.iter().map(cell).collect()
}

/// Returns the functions of the path, each with the reason.
fn path(
    kernel: &mut Tree,
    rows: &BTreeMap<String, Row>,
    kinds: &[Kind],
    complaints: &mut Vec<String>,
) -> Result<BTreeMap<String, String>> {
    let mut path = BTreeMap::new();
    let file = kernel.file(PATH)?;
    ensure!(
        !file.definitions.is_empty(),
        "the kernel has no function in {PATH}"
    );
    for name in file.definitions.keys() {
        path.insert(name.clone(), format!("defined in {PATH}"));
    }
    if file.parsed < file.ends {
        complaints.push(format!(
            "cannot parse every function of {PATH}: update tree-sitter-c"
        ));
    }
    for name in ENTRIES.into_iter().filter(|name| rows.contains_key(*name)) {
        path.insert(name.to_owned(), "a system call".to_owned());
    }
    let is_mirrored = |name: &str| rows.get(name).is_some_and(|row| row.state == "mirrored");
    for kind in kinds {
        for (operation, function) in &kind.functions {
            let operation = format!(".{operation}");
            let why = format!("an operation of {}", kind.name);
            if is_mirrored(&operation) {
                path.entry(function.clone()).or_insert(why.clone());
            }
            path.entry(operation).or_insert(why);
        }
    }
    for (name, Row { file, .. }) in rows.iter().filter(|(name, _)| is_mirrored(name)) {
        let Some(function) = kernel.file(file)?.definitions.get(name) else {
            continue;
        };
        if function.is_garbled {
            complaints.push(format!(
                "cannot parse `{name}()` of {file}: update tree-sitter-c"
            ));
        }
        for callee in &function.calls {
            let why = format!("called by `{name}()` of {file}");
            path.entry(callee.clone()).or_insert(why);
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a kernel and a module that fit each other: `## NAME`, and the content.
    const FILES: &str = include_str!("../project.txt");
    /// Edits of the files with the complaint that follows: `FILE ~ OLD ~ NEW ~ COMPLAINT`.
    const MISTAKES: &str = "
docs/path.md ~ | `copy_namespaces()` | left out | | clone(2) | ~  ~ `copy_namespaces` has no row
docs/path.md ~ `exit_sem()` ~ `put_net()` ~ `put_net` has two rows
docs/path.md ~ | clone(2) | ~ | | ~ the remark does not give the reason
docs/path.md ~ left out ~ lost ~ unknown word
docs/path.md ~ `net/net.c` ~ `net/none.c` ~ `put_net` is not defined in `net/none.c`
kernel/nsproxy.c ~ int copy_namespaces ~ int other ~ `other` has no row
kernel/nsproxy.c ~ int copy_namespaces ~ int other ~ `copy_namespaces` is not defined
kernel/nsproxy.c ~ exit_sem(me); ~ exit_sem(me); exit_shm(me); ~ `exit_shm` has no row
kernel/nsproxy.c ~ exit_sem(me); ~ exit_sem(me) @ [; ~ cannot parse `setns()`
net/net.c ~ return ns_capable ~ return ok() && ns_capable ~ `ok` has no row
net/net.c ~ ns_capable(ns->user_ns) ~ 1 ~ `ns_capable` is not called
net/net.c ~ .install = netns_install ~ .install = netns_enter ~ `netns_enter` has no row
net/net.c ~ .put = ~ .get = netns_get, .put = ~ `.get` has no row
include/linux/proc_ns.h ~ netns_ ~ logns_ ~ no file in the tables defines `logns_operations`
src/setns.rs ~ #[doc(alias = \"check_setns_flags\")] ~ // ~ no item has this name
src/setns.rs ~ static_call!(exit_sem(me)); ~ // ~ the module does not call it
src/sys/symbols.def ~ exit_sem ~ extra ~ `extra` is in symbols.def";

    /// Returns the complaints after an edit of a file, and whether generated cells change.
    fn update(edited: &str, old: &str, new: &str) -> (Vec<String>, bool) {
        let mut kernel = Tree::new("/nonexistent".as_ref());
        let mut module = Module::default();
        let mut document = String::new();
        for file in FILES.split("## ").skip(1) {
            let (name, text) = file.split_once('\n').unwrap();
            let mut text = text.to_owned();
            if name == edited {
                assert!(text.contains(old), "no {old} in {name}");
                text = text.replacen(old, new, 1);
            }
            match name.split('/').next() {
                Some("docs") => document = text,
                Some("src") => module.add(name, &text),
                _ => kernel.add(name, &text),
            }
        }
        let mut updated = Document::parse(&document);
        let complaints = super::update(&mut updated, &module, &mut kernel).unwrap();
        (complaints, updated.render() != document)
    }

    #[test]
    fn each_mistake_is_reported() {
        assert_eq!(update("", "", ""), (Vec::new(), false));
        for mistake in MISTAKES.lines().skip(1) {
            let [file, old, new, complaint] = mistake.split(" ~ ").collect::<Vec<_>>()[..] else {
                panic!("{mistake}");
            };
            let complaints = update(file, old, new).0.concat();
            assert!(complaints.contains(complaint), "{mistake}: {complaints}");
        }
    }

    #[test]
    fn changes_update_the_generated_cells() {
        let operation = update("net/net.c", ".put = netns_put", ".put = netns_drop");
        let item = update("src/setns.rs", "fn check()", "fn check_flags()");
        assert_eq!([operation, item], [(Vec::new(), true), (Vec::new(), true)]);
    }
}
