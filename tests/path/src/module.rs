// SPDX-License-Identifier: GPL-2.0-only

//! The source of the module: its items, their names in C, and their calls.
//!
//! rustfmt formats the source, so lines and their indentation are enough to find items.

use crate::{c, files};
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    fs, mem,
    path::{Path, PathBuf},
};

/// An item of Rust, or a function of C.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// `function`, `Type::function` or `Enum::Variant`.
    pub(crate) name: String,
    /// Its file, from the root of the project.
    file: String,
    /// Each `#[doc(alias)]`.
    aliases: BTreeSet<String>,
    /// Its identifiers, `.name` behind a dot, and `name(` for a call.
    words: BTreeSet<String>,
}

/// The module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The root of the project.
    pub(crate) root: PathBuf,
    /// The items.
    pub(crate) items: Vec<Item>,
    /// The functions that the module calls by a symbol lookup.
    pub(crate) symbols: BTreeSet<String>,
}

/// The 2011 path mirrors a patch, not this kernel.
const OTHER_PATH: &str = "src/setns_2011.rs";

impl Item {
    /// Returns a link to the item, for a document in `docs/`.
    pub(crate) fn link(&self) -> String {
        link(&self.name, &self.file)
    }

    /// Returns whether the item contains an identifier, or a path of two: `Enum::Variant`.
    pub(crate) fn contains(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}

fn link(item: &str, file: &str) -> String {
    format!("[`{item}`](../{file})")
}

impl Module {
    /// Reads the source of the module of the project in `root`.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut module = Self {
            root: root.to_owned(),
            ..Self::default()
        };
        for path in files(&root.join("src"))? {
            let name = path.strip_prefix(root)?.display().to_string();
            let source = fs::read_to_string(&path).with_context(|| name.clone())?;
            module.add(&name, &source);
        }
        Ok(module)
    }

    /// Adds a file. Files that are neither Rust nor C nor the list of symbols have no items.
    pub(crate) fn add(&mut self, name: &str, source: &str) {
        if name.ends_with(".rs") {
            self.add_items(name, source);
        } else if name.ends_with(".c") {
            for (function, definition) in c::File::parse(source).definitions {
                // `nsproxy_rs_` is the prefix of static calls to symbols.
                let calls = definition
                    .calls
                    .iter()
                    .map(|call| match call.strip_prefix('.') {
                        Some(_) => call.clone(),
                        None => format!("{}(", call.trim_start_matches("nsproxy_rs_")),
                    });
                self.items.push(Item {
                    name: function,
                    file: name.to_owned(),
                    aliases: BTreeSet::new(),
                    words: calls.collect(),
                });
            }
        } else if name.ends_with("/symbols.def") {
            // A condition hides symbols that are not on the path.
            let list = source.split("#ifndef").next().unwrap_or_default();
            let functions = list.lines().filter_map(|line| line.strip_prefix("CALL("));
            let functions = functions.filter_map(|call| call.strip_suffix(")")?.split_once(", "));
            let functions = functions.map(|(_, function)| function.to_owned());
            self.symbols.extend(functions);
        }
    }

    fn add_items(&mut self, file: &str, source: &str) {
        let mut aliases = BTreeSet::new();
        let mut within = None;
        let mut is_in_macro = false;
        let mut item = None;
        for line in source.lines() {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            if text.starts_with("//") || text.is_empty() {
                continue;
            }
            if let Some(alias) = text.strip_prefix("#[doc(alias = \"") {
                aliases.extend(alias.strip_suffix("\")]").map(str::to_owned));
                continue;
            }
            let is_item = match indent {
                0 => true,
                4 => within.is_some() || is_in_macro,
                _ => is_in_macro,
            };
            let declared = declaration(text).filter(|_| is_item);
            if let Some((keyword, name)) = declared {
                let full = match &within {
                    Some(of) if indent > 0 => format!("{of}::{name}"),
                    _ => name.to_owned(),
                };
                if indent == 0 && ["enum", "trait"].contains(&keyword) {
                    within = Some(name.to_owned());
                }
                self.items.extend(item.replace(Item {
                    name: full,
                    file: file.to_owned(),
                    aliases: mem::take(&mut aliases),
                    words: BTreeSet::new(),
                }));
            } else if indent == 0 && !text.starts_with([')', '{']) && text != "where" {
                self.items.extend(item.take());
                within = implemented(text);
                let invoked = text.strip_suffix("! {");
                is_in_macro = text.starts_with("macro_rules!") || invoked.is_some();
                // The arguments of a macro may contain calls.
                item = invoked.map(|name| Item {
                    name: name.to_owned(),
                    file: file.to_owned(),
                    ..Item::default()
                });
            }
            let is_name = declared.is_some_and(|(keyword, _)| keyword == "fn");
            if let Some(item) = item.as_mut().filter(|_| !is_name) {
                add_words(
                    text.split(" // ").next().unwrap_or_default(),
                    &mut item.words,
                );
            }
        }
        self.items.extend(item);
    }

    /// Returns whether a file has an item. The name of the file, or of a directory, counts.
    fn has(&self, item: &str, file: &str) -> bool {
        if file.ends_with(item.trim_end_matches('/')) {
            return self.root.join(file).exists();
        }
        let of_file = || self.items.iter().filter(|item| item.file == file);
        let variant = item.rsplit_once("::");
        let is_variant = |(of, name)| of_file().any(|item| item.name == of && item.contains(name));
        of_file().any(|it| it.name == item) || variant.is_some_and(is_variant)
    }

    /// Returns links to the items that mirror a C function: those with its name or an alias.
    pub(crate) fn mirrors(&self, function: &str) -> Vec<String> {
        let is_here = |item: &&Item| item.file != OTHER_PATH;
        let is_named = |item: &&Item| item.name.rsplit("::").next() == Some(function);
        // A wrapper or a trait may have the name as well: prefer functions outside src/sys/.
        let rank = |item: &Item| (item.file.starts_with("src/sys/"), item.name.contains("::"));
        let items = || self.items.iter().filter(is_here);
        let best = items().filter(is_named).map(rank).min();
        let items = items().filter(|item| {
            item.aliases.contains(function) || is_named(item) && Some(rank(item)) == best
        });
        items.map(Item::link).collect()
    }

    /// Returns links to the callers of a kernel function. `.name` is an operation.
    pub(crate) fn callers(&self, function: &str) -> Vec<String> {
        let call = if function.starts_with('.') {
            function.to_owned()
        } else {
            format!("{function}(")
        };
        let callers = || self.items.iter().filter(|item| item.contains(&call));
        // Outside src/sys/, the name is that of the wrapper.
        let is_in_sys = |item: &&Item| item.file.starts_with("src/sys/");
        let is_any_in_sys = callers().any(|item| is_in_sys(&item));
        let callers = callers().filter(|item| is_in_sys(item) || !is_any_in_sys);
        callers.map(Item::link).collect()
    }

    /// Updates the file in each link of `text`, and reports links to missing items.
    pub(crate) fn update_links(&self, text: &mut String, missing: &mut Vec<String>) {
        for part in text.clone().split("[`").skip(1) {
            let Some((item, rest)) = part.split_once("`](../") else {
                continue;
            };
            let file = rest.split(')').next().unwrap_or_default();
            if self.has(item, file) {
                continue;
            }
            let files: BTreeSet<_> = self.items.iter().map(|item| &item.file).collect();
            let files: Vec<_> = files.iter().filter(|file| self.has(item, file)).collect();
            match files[..] {
                [only] => *text = text.replace(&link(item, file), &link(item, only)),
                _ => missing.push(format!("{file} has no `{item}`: link to the renamed item")),
            }
        }
    }
}

/// Returns the keyword and the name of the item that a line begins.
fn declaration(line: &str) -> Option<(&str, &str)> {
    let is_qualifier = |word: &&str| word.starts_with("pub") || ["extern", "\"C\""].contains(word);
    let mut words = line.split(' ').skip_while(is_qualifier);
    let mut keyword = words.next()?;
    let mut name = words.next()?;
    while keyword == "const" && ["fn", "unsafe"].contains(&name) || keyword == "unsafe" {
        (keyword, name) = (name, words.next()?);
    }
    if !["fn", "struct", "enum", "trait", "const", "static", "type"].contains(&keyword) {
        return None;
    }
    let end = name.find(|c| !is_of_word(c)).unwrap_or(name.len());
    (end > 0).then_some((keyword, &name[..end]))
}

/// Returns the type of the `impl` that a line begins.
fn implemented(line: &str) -> Option<String> {
    let header = line
        .strip_prefix("unsafe ")
        .unwrap_or(line)
        .strip_prefix("impl")?;
    let of = match header.split_once(" for ") {
        Some((_, of)) => of,
        None => match header.strip_prefix('<') {
            Some(parameters) => parameters.split_once("> ")?.1,
            None => header,
        },
    };
    let path = of.trim().split(['<', ' ']).next()?;
    path.rsplit("::").next().map(str::to_owned)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn add_words(code: &str, words: &mut BTreeSet<String>) {
    let mut before = ' ';
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end.max(first.len_utf8()));
        if before == '.' {
            words.insert(format!(".{word}"));
        } else if behind.starts_with('(') {
            words.insert(format!("{word}("));
        }
        if let Some(member) = behind.strip_prefix("::") {
            let member = member.split(|c| !is_of_word(c)).next().unwrap_or_default();
            words.insert(format!("{word}::{member}"));
        }
        words.insert(word.to_owned());
        (before, rest) = (first, behind);
    }
}

#[cfg(test)]
mod tests {
    use super::{Module, link};

    const SOURCE: &str = r#"
//! put_nothing()
#[doc(alias = "nsset")]
#[doc(alias = "put_nsset")]
pub(crate) struct NsSet<'a>;
impl NsSet<'_> {
    #[doc(alias = "prepare_nsset")]
    pub(crate) const fn prepare() {
        bindings::prepare_creds(); // put_nothing()
        set.commit_creds();
    }
}
impl<K: Kind> Drop for super::NewNsProxy<K> {
    fn drop(&mut self) {
        (ops.put)(unsafe { static_call!(exit_sem(me)) })
    }
}
trait Kind {
    fn as_raw(&self);
}
enum SetFs {
    Copy,
}
macro_rules! kinds {
    () => {
        #[doc(alias = "CLONE_NS_ALL")]
        const ALL: u32 = 0;
    };
}
"#;

    #[test]
    fn items_aliases_and_calls_are_found() {
        let file = "src/sys/a.rs";
        let mut module = Module::default();
        module.add(file, SOURCE);
        for item in ["NsSet", "Kind::as_raw", "SetFs::Copy", "ALL"] {
            assert!(module.has(item, file), "{item}");
        }
        for (found, item) in [
            (module.mirrors("put_nsset"), "NsSet"),
            (module.mirrors("CLONE_NS_ALL"), "ALL"),
            (module.callers("prepare_creds"), "NsSet::prepare"),
            (module.callers("exit_sem"), "NewNsProxy::drop"),
            (module.callers(".put"), "NewNsProxy::drop"),
        ] {
            assert_eq!(found, [link(item, file)]);
        }
        for function in ["put_nothing", "commit_creds", "prepare"] {
            assert!(module.callers(function).is_empty(), "{function}");
        }

        let mut text = "[`ALL`](../src/old.rs) [`NsSet::commit`](../src/sys/a.rs)".to_owned();
        let mut missing = Vec::new();
        module.update_links(&mut text, &mut missing);
        assert!(text.starts_with(&link("ALL", file)), "{text}");
        assert_eq!(missing.len(), 1, "{missing:?}");
    }
}
