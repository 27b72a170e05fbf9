// SPDX-License-Identifier: GPL-2.0-only

//! Mutants of the kernel: a patch each, and the lab kernel built with it.

use crate::table::{Change, Mutant};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The directory of the patches, in the project.
const DIR: &str = "tests/kernel-mutants";
/// The files that a guest needs from a build directory.
const NEEDED: [&str; 3] = [".config", "arch/x86/boot/bzImage", "usr/gen_init_cpio"];

/// Reads all patches of the project in `root`, in the order of their names.
///
/// # Errors
///
/// No patch exists; or a patch has no description, or changes more than one file.
pub(crate) fn read(root: &Path) -> Result<Vec<Mutant>> {
    let dir = root.join(DIR);
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            mutants.push(mutant(&path).with_context(|| path.display().to_string())?);
        }
    }
    ensure!(!mutants.is_empty(), "{}: no patch", dir.display());
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

fn mutant(path: &Path) -> Result<Mutant> {
    let text = fs::read_to_string(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    of_patch(&name, path, text)
}

fn of_patch(name: &str, path: &Path, text: String) -> Result<Mutant> {
    let after = |prefix| {
        text.lines()
            .filter_map(move |line: &str| line.strip_prefix(prefix))
    };
    let wrong = after("Subject: ").next().context("no Subject")?.to_owned();
    let files: Vec<&str> = after("+++ b/").collect();
    let [file] = files[..] else {
        return Err(anyhow!(
            "the patch changes {} files instead of one",
            files.len()
        ));
    };
    Ok(Mutant {
        name: name.to_owned(),
        wrong,
        file: file.into(),
        suite: None,
        equivalent: None,
        change: Change::Patch {
            path: path.to_owned(),
            text,
        },
    })
}

/// Builds the lab kernel with a patch, and copies the files that a guest needs into `dir`. Builds
/// must not overlap.
///
/// # Errors
///
/// The build failed: the error has its output.
pub(crate) fn build(root: &Path, patch: &Path, dir: &Path) -> Result<()> {
    let output = Command::new(root.join("scripts/kernel-patched"))
        .arg("mutant")
        .arg(patch)
        .stderr(Stdio::piped())
        .output()
        .context("scripts/kernel-patched")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", log.trim_end());
    let built = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    for file in NEEDED {
        let to = dir.join(file);
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::copy(built.join(file), &to).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mutant> {
        of_patch("a-name", Path::new("a-name.patch"), text.to_owned())
    }

    #[test]
    fn a_patch_has_a_subject_and_a_file() {
        let text =
            "Subject: nsproxy: x\n\n--- a/kernel/a.c\n+++ b/kernel/a.c\n@@ -1 +1 @@\n-a\n+b\n";
        let mutant = read(text).unwrap();
        assert_eq!(mutant.wrong, "nsproxy: x");
        assert_eq!(mutant.file, Path::new("kernel/a.c"));
    }

    #[test]
    fn an_incomplete_patch_is_refused() {
        for text in [
            "+++ b/kernel/a.c\n",
            "Subject: x\n",
            "Subject: x\n+++ b/a.c\n+++ b/b.c\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
