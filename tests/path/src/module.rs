// SPDX-License-Identifier: GPL-2.0-only

//! The module's source: which items a file has, what they are called in C, and what it calls.

use crate::c;
use anyhow::{Context as _, Result, ensure};
use proc_macro2::{TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use syn::visit::{self, Visit};

/// A file of Rust.
#[derive(Debug, Default)]
pub(crate) struct RustFile {
    /// Its items, `function` or `Type::function`, and the `#[doc(alias)]` of each.
    items: BTreeMap<String, BTreeSet<String>>,
    /// The words between the braces of macros, which make items of them.
    of_macros: BTreeSet<String>,
    /// All of its words: what it calls is among them.
    words: BTreeSet<String>,
}

impl RustFile {
    fn of(source: &str) -> Result<Self> {
        let mut file = Self::default();
        let mut items = Items {
            file: &mut file,
            of: None,
        };
        items.visit_file(&syn::parse_file(source)?);
        let tokens: TokenStream = source.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        collect(tokens, &mut file.words);
        Ok(file)
    }

    /// Whether there is an item of that name; or a macro that was told each part of the name.
    pub(crate) fn has(&self, item: &str) -> bool {
        self.items.contains_key(item)
            || item
                .split("::")
                .all(|part| self.of_macros.contains(part) || self.items.contains_key(part))
    }

    /// Whether the item is called like that function of C, or says that it is known as that.
    pub(crate) fn is_named(&self, item: &str, function: &str) -> bool {
        item.rsplit("::").next() == Some(function)
            || self
                .items
                .get(item)
                .is_some_and(|aliases| aliases.contains(function))
    }

    /// Whether the word is in it, other than in a comment.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}

/// The module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    root: PathBuf,
    /// The files of Rust, by their paths in the root of the project.
    pub(crate) rust: BTreeMap<String, RustFile>,
    /// The files of C.
    pub(crate) c: BTreeMap<String, c::File>,
    /// The functions of `symbols.def`.
    pub(crate) symbols: BTreeSet<String>,
}

/// Where the kernel's functions are that the module finds by name.
pub(crate) const SYMBOLS: &str = "src/sys/symbols/symbols.def";

/// Reads the module's source in the project in `root`.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn read(root: &Path) -> Result<Module> {
    let mut module = Module {
        root: root.to_owned(),
        ..Module::default()
    };
    module.collect(root, "src")?;
    module.symbols = symbols(&root.join(SYMBOLS))?;
    Ok(module)
}

impl Module {
    /// Whether a file has that item. A name of the file itself, or of a directory, is one.
    pub(crate) fn has(&self, item: &str, file: &str) -> bool {
        if file.ends_with(item.trim_end_matches('/')) {
            self.root.join(file).exists()
        } else if let Some(rust) = self.rust.get(file) {
            rust.has(item)
        } else {
            self.c.get(file).is_some_and(|c| c.defines(item))
        }
    }

    fn collect(&mut self, root: &Path, name: &str) -> Result<()> {
        let path = root.join(name);
        for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
            let entry = entry?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.collect(root, &name)?;
                continue;
            }
            let source = || fs::read_to_string(entry.path()).with_context(|| name.clone());
            if name.ends_with(".rs") {
                let file = RustFile::of(&source()?).with_context(|| name.clone())?;
                self.rust.insert(name, file);
            } else if name.ends_with(".c") {
                self.c.insert(name.clone(), c::File::of(&source()?));
            }
        }
        Ok(())
    }
}

/// The list is made for the preprocessor, which says what is in it.
fn symbols(list: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new("cc")
        .args(["-E", "-P", "-x", "c"])
        .args(["-D", "NSPROXY_RS_ONLY_THE_PATH"])
        .args(["-D", "CALL(option, name)=name"])
        .args(["-D", "DATA(option, type, name)="])
        .args(["-D", "ADDRESS(option, name)="])
        .arg(list)
        .output()
        .context("cc")?;
    ensure!(
        output.status.success(),
        "cc -E: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

/// Finds items, and what they are in.
struct Items<'a> {
    file: &'a mut RustFile,
    of: Option<String>,
}

impl Items<'_> {
    fn add(&mut self, ident: &syn::Ident, attrs: &[syn::Attribute]) {
        let name = match &self.of {
            Some(of) => format!("{of}::{ident}"),
            None => ident.to_string(),
        };
        self.file
            .items
            .entry(name)
            .or_default()
            .extend(aliases(attrs));
    }

    /// What is defined in something that has a name of its own.
    fn within(&mut self, of: Option<String>, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.of, of);
        visit(self);
        self.of = outer;
    }
}

/// Each `#[doc(alias = "name")]`.
fn aliases(attrs: &[syn::Attribute]) -> BTreeSet<String> {
    let mut aliases = BTreeSet::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        // Of `#[doc = "..."]` and `#[doc(hidden)]` there is nothing to say.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("alias") {
                aliases.insert(meta.value()?.parse::<syn::LitStr>()?.value());
            }
            Ok(())
        });
    }
    aliases
}

impl<'ast> Visit<'ast> for Items<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident, &item.attrs);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(&item.ident, &item.attrs);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(&item.ident, &item.attrs);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident, &item.attrs);
        self.within(Some(item.ident.to_string()), |this| {
            for variant in &item.variants {
                this.add(&variant.ident, &variant.attrs);
            }
        });
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident, &item.attrs);
        self.within(Some(item.ident.to_string()), |this| {
            visit::visit_item_trait(this, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add(&item.sig.ident, &item.attrs);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let syn::Type::Path(of) = &*item.self_ty else {
            return;
        };
        let of = of.path.segments.last().map(|last| last.ident.to_string());
        self.within(of, |this| visit::visit_item_impl(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident, &item.attrs);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(ident) = &item.ident {
            self.add(ident, &item.attrs);
        }
        collect(item.mac.tokens.clone(), &mut self.file.of_macros);
    }
}

fn collect(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), words),
            TokenTree::Ident(ident) => {
                words.insert(ident.to_string());
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RustFile;

    #[test]
    fn items_are_found() {
        let file = RustFile::of(
            r#"
            //! put_nothing()
            #[doc(alias = "nsset")]
            #[doc(alias = "put_nsset")]
            pub(crate) struct NsSet;
            impl NsSet {
                /// Words.
                #[doc(alias = "prepare_nsset")]
                fn prepare() { bindings::prepare_creds(); }
            }
            impl Drop for super::NewNsProxy {
                #[doc(alias = "nsproxy_free")]
                fn drop(&mut self) {}
            }
            trait Kind { fn as_raw(&self); }
            enum SetFs { Copy }
            members! { mnt_ns: MntNamespace }
            "#,
        )
        .unwrap();
        for item in [
            "NsSet",
            "NsSet::prepare",
            "NewNsProxy::drop",
            "Kind::as_raw",
            "SetFs::Copy",
            "MntNamespace::mnt_ns",
        ] {
            assert!(file.has(item), "{item}");
        }
        assert!(!file.has("prepare"));
        assert!(!file.has("NsSet::commit"));
        assert!(file.is_named("NsSet", "put_nsset"));
        assert!(file.is_named("NsSet::prepare", "prepare_nsset"));
        assert!(!file.is_named("NsSet::prepare", "put_nsset"));
        assert!(file.is_named("Kind::as_raw", "as_raw"));
        assert!(file.says("prepare_creds"));
        assert!(!file.says("put_nothing"));
    }
}
