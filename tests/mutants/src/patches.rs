// SPDX-License-Identifier: GPL-2.0-only

//! Mutants of the kernel, a patch each, and builds of the lab kernel with a patch.

use crate::{
    Component, caught,
    table::{Change, Mutant},
};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The directory of the patches, in the project.
const DIR: &str = "tests/kernel-mutants";

/// Reads all patches of the project in `root`, in the order of their names.
///
/// # Errors
///
/// No patch exists; or a patch has a wrong header, or changes more than one file.
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
    caught::add(root, Component::Kernel, &mut mutants)?;
    Ok(mutants)
}

fn mutant(path: &Path) -> Result<Mutant> {
    let text = fs::read_to_string(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    of_patch(&name, path, text)
}

fn of_patch(name: &str, path: &Path, text: String) -> Result<Mutant> {
    let header = Header::of(&text)?;
    let files: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("+++ b/"))
        .collect();
    let [file] = files[..] else {
        return Err(anyhow!(
            "the patch changes {} files instead of one",
            files.len()
        ));
    };
    Ok(Mutant {
        name: name.to_owned(),
        wrong: header.subject,
        file: file.into(),
        caught_by: None,
        equivalent: header.equivalent,
        change: Change::Patch {
            path: path.to_owned(),
            text,
        },
    })
}

/// The lines before the change, as in `mutants.toml`: `Subject:` is `wrong` there.
struct Header {
    subject: String,
    equivalent: Option<String>,
}

impl Header {
    /// Reads the header of a patch.
    ///
    /// # Errors
    ///
    /// A line is unknown, empty or duplicate; or there is no `Subject:`.
    fn of(patch: &str) -> Result<Self> {
        let (mut subject, mut equivalent) = (None, None);
        let lines = patch.lines().take_while(|line| !line.starts_with("--- "));
        for line in lines.filter(|line| !line.is_empty()) {
            let (word, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.trim();
            let field = match word {
                "Subject" => &mut subject,
                "Equivalent" => &mut equivalent,
                _ => bail!("unknown line in the header: {line}"),
            };
            ensure!(!value.is_empty(), "{word}: has no value");
            ensure!(
                field.replace(value.to_owned()).is_none(),
                "{word}: occurs twice"
            );
        }
        Ok(Self {
            subject: subject.context("no Subject:")?,
            equivalent,
        })
    }
}

/// Builds the lab kernel with a patch in the build `name`, and returns the directory for
/// `nsproxy-vm`.
///
/// # Errors
///
/// The build failed: the error has its output.
pub(crate) fn build(root: &Path, name: &str, patch: &Path) -> Result<PathBuf> {
    let output = Command::new(root.join("scripts/kernel-patched"))
        .args(["--vmlinux", name])
        .arg(patch)
        .stderr(Stdio::piped())
        .output()
        .context("scripts/kernel-patched")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", log.trim_end());
    Ok(String::from_utf8(output.stdout)?.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mutant> {
        of_patch("a-name", Path::new("a-name.patch"), text.to_owned())
    }

    const CHANGE: &str = "--- a/kernel/a.c\n+++ b/kernel/a.c\n@@ -1 +1 @@\n-a\n+Subject: b\n";

    #[test]
    fn a_patch_has_a_subject_and_a_file() {
        let mutant = read(&format!("Subject: nsproxy: x\n\n{CHANGE}")).unwrap();
        assert_eq!(mutant.wrong, "nsproxy: x");
        assert_eq!(mutant.file, Path::new("kernel/a.c"));
        assert_eq!(mutant.equivalent, None);
    }

    #[test]
    fn a_patch_may_say_why_it_is_equivalent() {
        let header = "Subject: x\nEquivalent: nothing reads it: y\n";
        let mutant = read(&format!("{header}\n{CHANGE}")).unwrap();
        assert_eq!(mutant.equivalent.as_deref(), Some("nothing reads it: y"));
    }

    #[test]
    fn an_incomplete_patch_is_refused() {
        for (header, change) in [
            ("", CHANGE),
            ("Subject: x\n", ""),
            ("Subject: x\n", "+++ b/a.c\n+++ b/b.c\n"),
        ] {
            assert!(
                read(&format!("{header}{change}")).is_err(),
                "{header}{change}"
            );
        }
    }

    #[test]
    fn a_wrong_header_is_refused() {
        for (header, why) in [
            ("Equivalent: y\n", "no Subject"),
            ("Subject: x\nSuite: kinds\n", "unknown line"),
            ("Subject: x\na sentence\n", "unknown line"),
            ("Subject: x\nEquivalent:\n", "no value"),
            ("Subject: x\nSubject: y\n", "twice"),
        ] {
            let error = read(&format!("{header}\n{CHANGE}")).unwrap_err();
            assert!(error.to_string().contains(why), "{header}: {error}");
        }
    }
}
