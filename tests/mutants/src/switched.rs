// SPDX-License-Identifier: GPL-2.0-only

//! One kernel that contains many mutants: a kernel parameter selects the mutant at boot. A function
//! that mutants change has the body of each in it, beside the original.

use crate::table::{Change, Mutant};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// The kernel parameter, and the variable with its value. 0 is the original.
const SELECTOR: &str = "nsproxy_mutant";

/// The file that defines the variable.
const HOME: &str = "kernel/nsproxy.c";

/// Writes a patch for the kernel's `source` to `out`, which adds all mutants.
///
/// # Errors
///
/// A patch does not apply, or changes more than bodies of functions; or a file cannot be read or
/// written.
pub(crate) fn write(mutants: &[Mutant], source: &Path, out: &Path) -> Result<()> {
    let mut patch = Vec::new();
    let files: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.file).collect();
    for file in files {
        let path = source.join(file);
        let original = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut variants = Vec::new();
        for (n, mutant) in mutants.iter().enumerate() {
            if mutant.file == *file {
                variants.push((n + 1, mutant.name.as_str(), patched(mutant, &path)?));
            }
        }
        let mut text = merge(&original, &variants)?;
        if file == Path::new(HOME) {
            text += &definition();
        }
        patch.extend(difference(file, &path, &text)?);
    }
    fs::write(out, patch).with_context(|| out.display().to_string())
}

/// Returns the kernel parameter that selects one of the mutants.
pub(crate) fn parameter(mutants: &[Mutant], chosen: &Mutant) -> Option<String> {
    let at = mutants.iter().position(|it| it.name == chosen.name)?;
    Some(format!("{SELECTOR}={}", at + 1))
}

/// Returns the text of a file with the change of a mutant.
fn patched(mutant: &Mutant, path: &Path) -> Result<String> {
    let Change::Patch { path: patch, .. } = &mutant.change else {
        anyhow::bail!("{}: no patch for the kernel", mutant.name);
    };
    let output = Command::new("patch")
        .args(["--fuzz=0", "--quiet", "--reject-file=-", "--output=-"])
        .arg(path)
        .arg(patch)
        .output()
        .context("patch")?;
    ensure!(
        output.status.success(),
        "{} does not apply to {}",
        patch.display(),
        path.display()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the difference of a file and its new text, for patch(1).
fn difference(file: &Path, path: &Path, text: &str) -> Result<Vec<u8>> {
    let mut diff = Command::new("diff")
        .args(["-u", "--label", &format!("a/{}", file.display())])
        .args(["--label", &format!("b/{}", file.display())])
        .arg(path)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("diff")?;
    let mut stdin = diff.stdin.take().context("diff: no stdin")?;
    // diff reads all of it before it writes.
    stdin.write_all(text.as_bytes())?;
    drop(stdin);
    let output = diff.wait_with_output()?;
    ensure!(output.status.code() <= Some(1), "diff: {}", output.status);
    Ok(output.stdout)
}

/// Returns the C text that sets the variable from the kernel parameter.
fn definition() -> String {
    format!(
        "
#include <linux/init.h>
#include <linux/kernel.h>

int {SELECTOR};

static int __init {SELECTOR}_setup(char *value)
{{
	return kstrtoint(value, 0, &{SELECTOR});
}}
early_param(\"{SELECTOR}\", {SELECTOR}_setup);
"
    )
}

/// A file of C in the kernel's style: a function begins with a line `{` and ends with a line that
/// begins with `}`.
struct Parts<'a> {
    /// The text before the first body, between two bodies, and after the last one.
    outside: Vec<&'a str>,
    bodies: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (mut outside, mut bodies) = (Vec::new(), Vec::new());
        let (mut begin, mut at, mut is_inside) = (0, 0, false);
        for line in text.split_inclusive('\n') {
            if is_inside && line.starts_with('}') {
                bodies.push(&text[begin..at]);
                (begin, is_inside) = (at, false);
            } else if !is_inside && line.trim_end() == "{" {
                let end = at + line.len();
                outside.push(&text[begin..end]);
                (begin, is_inside) = (end, true);
            }
            at += line.len();
        }
        outside.push(&text[begin..]);
        Self { outside, bodies }
    }
}

/// Returns a file that contains all `mutants` of it: their numbers, names and texts.
///
/// # Errors
///
/// One differs in more than bodies of functions.
fn merge(original: &str, mutants: &[(usize, &str, String)]) -> Result<String> {
    let parts = Parts::of(original);
    let mut variants = vec![Vec::new(); parts.bodies.len()];
    for (number, name, text) in mutants {
        let mutant = Parts::of(text);
        ensure!(
            mutant.outside == parts.outside,
            "{name}: a patch may change only bodies of functions"
        );
        for ((variants, old), new) in variants.iter_mut().zip(&parts.bodies).zip(mutant.bodies) {
            if *old != new {
                variants.push((number, new.to_owned()));
            }
        }
    }
    let mut text = format!("extern int {SELECTOR};\n");
    for ((outside, body), variants) in parts.outside.iter().zip(&parts.bodies).zip(variants) {
        text += outside;
        if variants.is_empty() {
            text += body;
            continue;
        }
        for (number, body) in variants {
            text += &format!(
                "\tif ({SELECTOR} == {number}) {{\n{}\t}} else\n",
                block(&body)
            );
        }
        text += &format!("\t{{\n{}\t}}\n", block(body));
    }
    text += parts.outside.last().unwrap_or(&"");
    Ok(text)
}

/// Returns a body as a block, whose labels are its own.
fn block(body: &str) -> String {
    let labels: Vec<_> = body.lines().filter_map(label).collect();
    if labels.is_empty() {
        return body.to_owned();
    }
    format!("\t__label__ {};\n{body}", labels.join(", "))
}

/// Returns the label that a line defines.
fn label(line: &str) -> Option<&str> {
    let (name, rest) = line.trim_start().split_once(':')?;
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    (is_name(name) && name != "default" && !rest.starts_with(':')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
static int one(int a)
{
	if (a)
		goto out;
	return 1;
out:
	return 0;
}

static struct x y = {
	.z = 1,
};

void two(void)
{
	three();
}
";

    #[test]
    fn a_mutant_of_a_body_is_a_block_of_the_function() {
        let mutant = FILE.replace("return 1", "return 2");
        let text = merge(FILE, &[(7, "a-name", mutant)]).unwrap();
        let expected = FILE.replace(
            "\tif (a)\n\t\tgoto out;\n\treturn 1;\nout:\n\treturn 0;\n",
            "\tif (nsproxy_mutant == 7) {
	__label__ out;
	if (a)
		goto out;
	return 2;
out:
	return 0;
	} else
	{
	__label__ out;
	if (a)
		goto out;
	return 1;
out:
	return 0;
	}
",
        );
        assert_eq!(text, format!("extern int nsproxy_mutant;\n{expected}"));
    }

    #[test]
    fn a_change_outside_of_bodies_is_refused() {
        for (old, new) in [(".z = 1", ".z = 2"), ("one(int a)", "one(long a)")] {
            let mutant = FILE.replace(old, new);
            let error = merge(FILE, &[(1, "a-name", mutant)]).unwrap_err();
            assert!(error.to_string().starts_with("a-name: "), "{error}");
        }
    }

    #[test]
    fn labels_are_found() {
        for (line, name) in [
            ("out:", Some("out")),
            (" out_1:", Some("out_1")),
            ("\tdefault:", None),
            ("\tcase 1:", None),
            ("\treturn a ? b : c;", None),
            ("\t/* note: x */", None),
        ] {
            assert_eq!(label(line), name, "{line}");
        }
    }
}
