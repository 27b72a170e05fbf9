// SPDX-License-Identifier: GPL-2.0-only

//! The sources that were run: of the kernel, and of the module.

use crate::{
    c_function,
    excerpt::{Anchor, Excerpt},
    rust_item,
};
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The language of an excerpt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// The kernel's
    C,
    /// The module's
    Rust,
}

/// Two source trees. Each file is read once.
pub(crate) struct Sources {
    module: PathBuf,
    kernel: Option<PathBuf>,
    texts: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// Returns the sources in these directories.
    pub(crate) fn new(module: &Path, kernel: Option<&Path>) -> Self {
        Self {
            module: module.to_owned(),
            kernel: kernel.map(Path::to_owned),
            texts: BTreeMap::new(),
        }
    }

    /// Returns whether the source of this language is here.
    pub(crate) fn has(&self, language: Language) -> bool {
        language == Language::Rust || self.kernel.is_some()
    }

    /// Returns the lines that an anchor names.
    ///
    /// # Errors
    ///
    /// The file, the item or a line is not in the source, or is there more than once.
    pub(crate) fn excerpt(&mut self, language: Language, anchor: &Anchor) -> Result<Excerpt> {
        let (root, find): (_, fn(&[&str], &str) -> _) = match language {
            Language::C => {
                let kernel = self.kernel.as_ref().context("no source of the kernel")?;
                (kernel, c_function::find)
            }
            Language::Rust => (&self.module, rust_item::find),
        };
        let path = root.join(&anchor.file);
        if !self.texts.contains_key(&path) {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            self.texts.insert(path.clone(), text);
        }
        let lines: Vec<&str> = self.texts[&path].lines().collect();
        Excerpt::cut(&lines, anchor, find).with_context(|| anchor.to_string())
    }
}

/// Returns the version in the Makefile of a kernel: "7.3.4".
///
/// # Errors
///
/// There is no Makefile, or it is not that of a kernel.
pub(crate) fn version(kernel: &Path) -> Result<String> {
    let path = kernel.join("Makefile");
    let makefile = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let value = |name: &str| {
        let mut lines = makefile.lines().filter_map(|line| line.split_once(" ="));
        let found = lines.find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let part = |name| value(name).with_context(|| format!("{}: no {name}", path.display()));
    Ok(format!(
        "{}.{}.{}{}",
        part("VERSION")?,
        part("PATCHLEVEL")?,
        part("SUBLEVEL")?,
        value("EXTRAVERSION").unwrap_or_default()
    ))
}
