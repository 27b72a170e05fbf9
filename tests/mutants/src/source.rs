// SPDX-License-Identifier: GPL-2.0-only

//! A copy of the module's source, in which mutants are built.

use crate::{
    cache::Key,
    table::{Change, Mutant},
};
use anyhow::{Context as _, Result, anyhow};
use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The copy. All mutants share it, so that make builds only the files that differ.
pub(crate) struct Source {
    root: PathBuf,
    copy: PathBuf,
    /// The path in the project and the content of each file.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Source {
    /// Reads the source of the project in `root`. [`build`](Self::build) creates the copy.
    pub(crate) fn of(root: &Path) -> Result<Self> {
        Ok(Self {
            root: root.to_owned(),
            copy: root.join("build/mutants"),
            files: files(root)?,
        })
    }

    /// Builds the original module or a mutant for a kernel, and copies it to `module`.
    ///
    /// # Errors
    ///
    /// The build failed: the error has the last lines of its output.
    pub(crate) fn build(&self, kernel: &str, mutant: Option<&Mutant>, module: &Path) -> Result<()> {
        for (file, content) in &self.files {
            write(&self.copy.join(file), &changed(file, content, mutant)?)?;
        }
        let output = build_module(&self.root, kernel, &self.copy, Stdio::piped())?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(12)..];
            return Err(anyhow!("{}", last.join("\n")));
        }
        copy_module(&output, module)
    }

    /// Adds the source of the module, mutated or original, and the patch of a kernel mutant.
    pub(crate) fn key(&self, mutant: Option<&Mutant>, key: &mut Key) -> Result<()> {
        for (file, content) in &self.files {
            key.add(file);
            key.add(changed(file, content, mutant)?);
        }
        if let Some(Change::Patch { text, .. }) = mutant.map(|mutant| &mutant.change) {
            key.add(text);
        }
        Ok(())
    }
}

/// Returns the path and the content of each file of the module in the project in `root`.
pub(crate) fn files(root: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    collect(root, Path::new("Kbuild"), &mut files)?;
    collect(root, Path::new("src"), &mut files)?;
    Ok(files)
}

/// Builds the module in a directory of its source for a kernel. Returns the output of the build.
pub(crate) fn build_module(
    root: &Path,
    kernel: &str,
    source: &Path,
    errors: Stdio,
) -> Result<Output> {
    Command::new(root.join("scripts/guest"))
        .args(["module", kernel])
        .arg(source)
        .stderr(errors)
        .output()
        .context("scripts/guest")
}

/// Copies the module of a build.
pub(crate) fn copy_module(build: &Output, module: &Path) -> Result<()> {
    let built = std::str::from_utf8(&build.stdout)?.trim_end();
    fs::copy(built, module)
        .with_context(|| format!("cannot copy {built} to {}", module.display()))?;
    Ok(())
}

/// Returns the content of a file in a mutant.
fn changed<'a>(file: &Path, content: &'a [u8], mutant: Option<&Mutant>) -> Result<Cow<'a, [u8]>> {
    Ok(match mutant {
        Some(mutant) if mutant.file == file && matches!(mutant.change, Change::Lines { .. }) => {
            let source = std::str::from_utf8(content)?;
            let source = mutant.apply(source).map_err(|why| anyhow!(why))?;
            Cow::Owned(source.into_bytes())
        }
        _ => Cow::Borrowed(content),
    })
}

fn collect(root: &Path, path: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<()> {
    let full = root.join(path);
    if full.is_dir() {
        for entry in fs::read_dir(&full).with_context(|| full.display().to_string())? {
            collect(root, &path.join(entry?.file_name()), files)?;
        }
    } else {
        let content = fs::read(&full).with_context(|| full.display().to_string())?;
        files.push((path.to_owned(), content));
    }
    Ok(())
}

/// Writes a file unless it has that content: make compares modification times.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
