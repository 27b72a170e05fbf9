// SPDX-License-Identifier: GPL-2.0-only

//! C as it is written: what a file defines, and what that calls.
//!
//! Nothing is preprocessed. So what is behind an `#ifdef` is there whatever the kernel was built
//! with, a macro has the name that the reader of the kernel sees, and no build is needed.

use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator as _};

/// What is looked for in a file. A system call is no function definition to the parser, which does
/// not know the macro: it is a call, and a block behind it.
static DEFINITIONS: LazyLock<Query> = LazyLock::new(|| {
    query(
        r#"
        (function_definition body: (compound_statement) @body) @function

        (_
          (expression_statement
            (call_expression
              function: (identifier) @define
              arguments: (argument_list . (identifier) @syscall)))
          . (compound_statement) @body
          (#match? @define "^(COMPAT_)?SYSCALL_DEFINE[0-6]$"))

        (preproc_function_def name: (identifier) @macro value: (_)? @value)

        (declaration
          type: (struct_specifier name: (type_identifier) @type)
          declarator: (init_declarator
            declarator: (identifier) @table
            value: (initializer_list) @body)
          (#eq? @type "proc_ns_operations"))

        (declaration
          (storage_class_specifier "extern")
          type: (struct_specifier name: (type_identifier) @type)
          declarator: (identifier) @declared
          (#eq? @type "proc_ns_operations"))
        "#,
    )
});

/// What is called in a body: by name, through a member of a struct, or as a static call.
static CALLS: LazyLock<Query> = LazyLock::new(|| {
    query(
        "
        (call_expression function: (identifier) @name)
        (call_expression function: (field_expression field: (field_identifier) @member))
        (call_expression
          function: (call_expression
            function: (identifier) @macro
            arguments: (argument_list (identifier) @name))
          (#eq? @macro \"static_call\"))
        ",
    )
});

/// Which function a table of operations has for each.
static INITIALISERS: LazyLock<Query> = LazyLock::new(|| {
    query(
        "
        (initializer_pair
          designator: (field_designator (field_identifier) @operation)
          value: (identifier) @function)
        ",
    )
});

fn language() -> Language {
    tree_sitter_c::LANGUAGE.into()
}

fn query(source: &str) -> Query {
    Query::new(&language(), source).expect("the query fits the grammar, which is a dependency")
}

/// A function, or a macro with parameters.
#[derive(Debug, Default)]
pub(crate) struct Function {
    /// The names of what it calls; `.member` for a call through a member of a struct.
    pub(crate) calls: BTreeSet<String>,
    /// Whether the parser stumbled in it, so that calls may be missing.
    pub(crate) is_garbled: bool,
}

/// A file of C.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// The functions that it defines, and system calls by their own name.
    pub(crate) functions: BTreeMap<String, Function>,
    /// The macros with parameters that it defines.
    pub(crate) macros: BTreeMap<String, Function>,
    /// Its `struct proc_ns_operations`: for each operation its function.
    pub(crate) tables: BTreeMap<String, BTreeMap<String, String>>,
    /// The `struct proc_ns_operations` of other files that it declares.
    pub(crate) declared: BTreeSet<String>,
    /// Lines in which there are braces at the top, and the parser does not know what they are.
    pub(crate) unread: Vec<RangeInclusive<usize>>,
}

impl File {
    /// Reads C.
    pub(crate) fn of(source: &str) -> Self {
        let tree = parse(source);
        let text = |node: Node<'_>| source[node.byte_range()].to_owned();
        let mut file = Self::default();
        let mut cursor = QueryCursor::new();
        let mut found = cursor.matches(&DEFINITIONS, tree.root_node(), source.as_bytes());
        while let Some(found) = found.next() {
            let get = |name| {
                let index = DEFINITIONS.capture_index_for_name(name);
                let index = index.expect("a name of the query");
                found.nodes_for_capture_index(index).next()
            };
            if let Some(function) = get("function") {
                if is_at_the_top(function)
                    && let Some(name) = declared_name(function)
                {
                    file.define(text(name), get("body"), source);
                }
            } else if let Some(name) = get("syscall") {
                file.define(text(name), get("body"), source);
            } else if let Some(name) = get("macro") {
                let calls =
                    get("value").map_or_else(Function::default, |value| of_macro(&text(value)));
                file.macros.insert(text(name), calls);
            } else if let Some(name) = get("table") {
                let operations = get("body").map(|body| initialisers(body, source));
                file.tables
                    .insert(text(name), operations.unwrap_or_default());
            } else if let Some(name) = get("declared") {
                file.declared.insert(text(name));
            }
        }
        collect_unread(tree.root_node(), source, &mut file.unread);
        file
    }

    /// A function can be there twice, for two configurations: what it calls is what both do.
    fn define(&mut self, name: String, body: Option<Node<'_>>, source: &str) {
        let Some(body) = body else { return };
        let new = Function {
            calls: calls(body, source),
            is_garbled: body.has_error(),
        };
        match self.functions.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
            Entry::Occupied(mut entry) => {
                let old = entry.get_mut();
                old.calls.extend(new.calls);
                old.is_garbled |= new.is_garbled;
            }
        }
    }

    /// What it defines under a name: a function, a macro, or one of each for two configurations.
    pub(crate) fn definitions(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.functions
            .get(name)
            .into_iter()
            .chain(self.macros.get(name))
    }

    /// Whether it defines that function or macro.
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.definitions(name).next().is_some()
    }

    /// Everything that is called in it.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &String> {
        self.functions.values().flat_map(|function| &function.calls)
    }
}

fn parse(source: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser
        .set_language(&language())
        .expect("the grammar is for this version of the parser");
    parser
        .parse(source, None)
        .expect("nothing tells the parser to stop")
}

/// A block in a function that the parser takes for a function, of a macro like `scoped_guard`, is
/// none.
fn is_at_the_top(function: Node<'_>) -> bool {
    let mut node = function;
    while let Some(parent) = node.parent() {
        if parent.kind() == "compound_statement" {
            return false;
        }
        node = parent;
    }
    true
}

/// The name in a declarator: behind `*`, in front of parameters.
fn declared_name(function: Node<'_>) -> Option<Node<'_>> {
    let mut node = function.child_by_field_name("declarator")?;
    while node.kind() != "identifier" {
        node = node.child_by_field_name("declarator")?;
    }
    Some(node)
}

fn calls(body: Node<'_>, source: &str) -> BTreeSet<String> {
    let member = CALLS.capture_index_for_name("member");
    let mut calls = BTreeSet::new();
    let mut cursor = QueryCursor::new();
    let mut found = cursor.captures(&CALLS, body, source.as_bytes());
    while let Some((found, index)) = found.next() {
        let capture = found.captures[*index];
        let dot = if Some(capture.index) == member {
            "."
        } else {
            ""
        };
        calls.insert(format!("{dot}{}", &source[capture.node.byte_range()]));
    }
    calls
}

/// What a macro stands for is text to the parser: it is read as what it becomes in a function.
fn of_macro(value: &str) -> Function {
    let source = format!("void macro(void) {{ {value}; }}");
    let tree = parse(&source);
    Function {
        calls: calls(tree.root_node(), &source),
        is_garbled: false,
    }
}

fn initialisers(body: Node<'_>, source: &str) -> BTreeMap<String, String> {
    let mut operations = BTreeMap::new();
    let mut cursor = QueryCursor::new();
    let mut found = cursor.matches(&INITIALISERS, body, source.as_bytes());
    while let Some(found) = found.next() {
        if let [operation, function] = found.captures {
            let text = |node: Node<'_>| source[node.byte_range()].to_owned();
            operations.insert(text(operation.node), text(function.node));
        }
    }
    operations
}

/// Braces that are neither of a function nor of a declaration: an error with one in it, or a block
/// by itself. That of a system call has a call in front of it.
fn collect_unread(node: Node<'_>, source: &str, unread: &mut Vec<RangeInclusive<usize>>) {
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        let is_unread = match child.kind() {
            "compound_statement" => child
                .prev_named_sibling()
                .is_none_or(|before| !source[before.byte_range()].contains("SYSCALL_DEFINE")),
            "ERROR" => source[child.byte_range()].contains('{'),
            "function_definition" => false,
            _ => {
                collect_unread(child, source, unread);
                false
            }
        };
        if is_unread {
            unread.push(child.start_position().row + 1..=child.end_position().row + 1);
        }
    }
}

/// A tree of source, whose files are read when they are asked for.
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeMap<String, Option<File>>,
}

impl Tree {
    /// The tree in a directory.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
        }
    }

    /// A file of it; [`None`] if there is none of that name.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(crate) fn file(&mut self, name: &str) -> Result<Option<&File>> {
        if !self.files.contains_key(name) {
            let path = self.root.join(name);
            let file = if path.exists() {
                let source =
                    fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                Some(File::of(&source))
            } else {
                None
            };
            self.files.insert(name.to_owned(), file);
        }
        Ok(self.files[name].as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::File;

    fn names<'a>(of: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
        of.into_iter().map(String::as_str).collect()
    }

    #[test]
    fn functions_are_found_however_they_are_written() {
        let file = File::of(
            "static inline struct nsset *plain(void) { return made(); }
             int __init marked(void)
             { return 0; }
             #ifdef CONFIG_A
             int twice(int a) { return one(a); }
             #else
             int twice(int a) { return other(a); }
             #endif
             SYSCALL_DEFINE2(setns, int, fd, int, flags)
             {
                 CLASS(fd, f)(fd);
                 scoped_guard(rcu) { inner(); }
                 return nsset.ops->install(&nsset);
             }
             int prototype(void);",
        );
        assert_eq!(
            names(file.functions.keys()),
            ["marked", "plain", "setns", "twice"]
        );
        assert_eq!(names(&file.functions["plain"].calls), ["made"]);
        assert_eq!(names(&file.functions["twice"].calls), ["one", "other"]);
        assert_eq!(
            names(&file.functions["setns"].calls),
            [".install", "CLASS", "inner"]
        );
        assert!(file.unread.is_empty());
    }

    #[test]
    fn macros_call() {
        let file = File::of(
            "#define current_cred() \\
             \trcu_dereference_protected(current->cred, 1)
             #define ns_ref_inc(ns) do { if (ns) __ns_ref_inc(to_ns_common(ns)); } while (0)
             #define OBJECT 1
             #ifdef CONFIG_USER_NS
             #define current_user_ns() (current_cred_xxx(user_ns))
             #else
             static inline struct user_namespace *current_user_ns(void) { return init(); }
             #endif
             ",
        );
        assert_eq!(
            names(file.macros.keys()),
            ["current_cred", "current_user_ns", "ns_ref_inc"]
        );
        let both = file.definitions("current_user_ns");
        assert_eq!(
            names(both.flat_map(|function| &function.calls)),
            ["init", "current_cred_xxx"]
        );
        let calls = &file.macros["current_cred"].calls;
        assert_eq!(names(calls), ["rcu_dereference_protected"]);
        let calls = &file.macros["ns_ref_inc"].calls;
        assert_eq!(names(calls), ["__ns_ref_inc", "to_ns_common"]);
    }

    #[test]
    fn tables_are_found() {
        let file = File::of(
            "extern const struct proc_ns_operations utsns_operations;
             const struct proc_ns_operations netns_operations = {
                 .name = \"net\",
                 .install = netns_install,
             };",
        );
        assert_eq!(names(&file.declared), ["utsns_operations"]);
        assert_eq!(file.tables["netns_operations"]["install"], "netns_install");
        assert_eq!(file.tables["netns_operations"].len(), 1);
    }

    #[test]
    fn what_is_not_read_is_said() {
        let file = File::of("int before(void) { return 0; }\nODD(lost, int, a)\n{ f(); }\n");
        assert_eq!(names(file.functions.keys()), ["before"]);
        assert_eq!(file.unread, [3..=3]);
        let file = File::of("int before(void) { return 0; }\n)) lost ] { f(); ((\n");
        assert_eq!(file.unread, [2..=2]);
    }
}
