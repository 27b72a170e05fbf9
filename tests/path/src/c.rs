// SPDX-License-Identifier: GPL-2.0-only

//! C source: the functions that a file defines, and their calls.
//!
//! Nothing is preprocessed. So code behind an `#ifdef` counts whatever the kernel's configuration
//! is, a macro keeps its name, and no build is needed.

use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator as _};

/// Definitions in a file. The parser does not know the macro of system calls: it reads a call with
/// a block behind it.
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

/// Calls in a body: by name, through a member of a struct, or as a static call.
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

fn language() -> Language {
    tree_sitter_c::LANGUAGE.into()
}

fn query(source: &str) -> Query {
    Query::new(&language(), source).expect("the query fits the grammar, which is a dependency")
}

/// A function, or a macro with parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    /// The names of the functions that it calls; `.member` for a call through a member.
    pub(crate) calls: BTreeSet<String>,
    /// Whether a part of it cannot be parsed, so that calls may be missing.
    pub(crate) is_garbled: bool,
}

/// A file of C.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// The functions and macros that it defines; system calls by their own name.
    pub(crate) definitions: BTreeMap<String, Function>,
    /// Its `struct proc_ns_operations`: the function of each operation.
    pub(crate) tables: BTreeMap<String, BTreeMap<String, String>>,
    /// The `struct proc_ns_operations` that it declares, in order.
    pub(crate) declared: Vec<String>,
    /// The number of parsed functions and macros.
    pub(crate) parsed: usize,
    /// The number of lines that end a function. If it is larger, a function was not parsed.
    pub(crate) ends: usize,
}

impl File {
    /// Parses C source.
    pub(crate) fn parse(source: &str) -> Self {
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
            let body = get("body");
            let name = match get("function") {
                Some(function) => declared_name(function).filter(|_| is_at_the_top(function)),
                None => get("syscall"),
            };
            if let (Some(name), Some(body)) = (name, body) {
                file.define(text(name), calls(body, source), body.has_error());
            } else if let Some(name) = get("macro") {
                // The parser reads the value of a macro as text.
                let value = get("value").map_or_else(String::new, text);
                let value = format!("void value(void) {{ {value}; }}");
                let calls = calls(parse(&value).root_node(), &value);
                file.define(text(name), calls, false);
            } else if let (Some(name), Some(body)) = (get("table"), body) {
                file.tables.insert(text(name), initialisers(&text(body)));
            } else if let Some(name) = get("declared") {
                file.declared.push(text(name));
            }
        }
        file.ends = source.lines().filter(|line| *line == "}").count();
        file
    }

    /// Adds a definition. A name may have one for each of two configurations: their calls add up.
    fn define(&mut self, name: String, calls: BTreeSet<String>, is_garbled: bool) {
        self.parsed += 1;
        let function = self.definitions.entry(name).or_default();
        function.calls.extend(calls);
        function.is_garbled |= is_garbled;
    }
}

fn parse(source: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser
        .set_language(&language())
        .expect("the grammar is for this version of the parser");
    parser
        .parse(source, None)
        .expect("no timeout is set, and no cancellation")
}

/// Returns false for a block behind a macro such as `scoped_guard`, which the parser takes for a
/// function in a function.
fn is_at_the_top(function: Node<'_>) -> bool {
    let mut parents = std::iter::successors(function.parent(), |node| node.parent());
    parents.all(|parent| parent.kind() != "compound_statement")
}

/// Returns the name in a declarator: behind `*`, in front of parameters.
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
        let is_member = Some(capture.index) == member;
        let dot = if is_member { "." } else { "" };
        calls.insert(format!("{dot}{}", &source[capture.node.byte_range()]));
    }
    calls
}

/// Returns the function of each operation, from lines such as `.get = netns_get,`.
fn initialisers(body: &str) -> BTreeMap<String, String> {
    let pairs = body.split([',', '{', '}']).filter_map(|pair| {
        let (operation, function) = pair.trim().strip_prefix('.')?.split_once('=')?;
        let function = function.trim();
        let is_string = function.starts_with('"');
        (!is_string).then(|| (operation.trim().to_owned(), function.to_owned()))
    });
    pairs.collect()
}

/// A source tree. Each file is read when it is first requested.
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Returns the tree in the directory `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
        }
    }

    /// Returns a parsed file; an empty one if it does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn file(&mut self, name: &str) -> Result<&File> {
        if !self.files.contains_key(name) {
            let source = if self.root.join(name).exists() {
                self.text(name)?
            } else {
                String::new()
            };
            self.add(name, &source);
        }
        Ok(&self.files[name])
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, source: &str) {
        self.files.insert(name.to_owned(), File::parse(source));
    }

    /// Returns the text of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        let path = self.root.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::File;

    fn calls<'a>(file: &'a File, name: &str) -> Vec<&'a str> {
        let calls = &file.definitions[name].calls;
        calls.iter().map(String::as_str).collect()
    }

    #[test]
    fn definitions_and_their_calls_are_found() {
        let file = File::parse(
            "static inline struct nsset *plain(void) { return made(); }
             int __init marked(void)
             { return 0; }
             #ifdef CONFIG_A
             int twice(int a) { return one(a); }
             #else
             int twice(int a) { return other(a); }
             #endif
             #define ns_ref_inc(ns) do { if (ns) __ns_ref_inc(to_ns_common(ns)); } while (0)
             #define OBJECT 1
             SYSCALL_DEFINE2(setns, int, fd, int, flags)
             {
                 CLASS(fd, f)(fd);
                 scoped_guard(rcu) { inner(); }
                 return nsset.ops->install(&nsset);
             }
             int prototype(void);
             extern const struct proc_ns_operations utsns_operations;
             const struct proc_ns_operations netns_operations = {
                 .name = \"net\",
                 .install = netns_install,
             };",
        );
        let names: Vec<_> = file.definitions.keys().collect();
        assert_eq!(names, ["marked", "ns_ref_inc", "plain", "setns", "twice"]);
        assert_eq!(calls(&file, "plain"), ["made"]);
        assert_eq!(calls(&file, "twice"), ["one", "other"]);
        assert_eq!(calls(&file, "ns_ref_inc"), ["__ns_ref_inc", "to_ns_common"]);
        assert_eq!(calls(&file, "setns"), [".install", "CLASS", "inner"]);
        assert_eq!(file.declared, ["utsns_operations"]);
        assert_eq!(file.tables["netns_operations"].len(), 1);
        assert_eq!(file.tables["netns_operations"]["install"], "netns_install");
        assert_eq!((file.parsed, file.ends), (6, 0));
        let odd = File::parse("int before(void)\n{\n}\nODD(lost, int, a)\n{\n\tf();\n}\n");
        assert_eq!((odd.parsed, odd.ends), (1, 2));
    }
}
