// SPDX-License-Identifier: GPL-2.0-only

//! A lab's file, as far as it is run: its fenced blocks of the kind `console`.
//!
//! ````text
//! ```console
//! # hostname
//! guest
//! # for name in mnt uts; do
//! >     readlink /proc/self/ns/$name
//! > done
//! mnt:[[..]]
//! uts:[[..]]
//! ```
//! ````

use anyhow::{Context as _, Result, bail, ensure};

/// The kinds of blocks that are for reading. A block of no known kind is taken for a mistake: it
/// would not be run.
const FOR_READING: [&str; 3] = ["c", "rust", "text"];

/// What is run of a lab.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) steps: Vec<Step>,
}

/// A command, and what it is to print.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Of the file, counted from 1.
    pub(super) line: usize,
    /// One or more lines.
    pub(super) command: String,
    pub(super) expected: String,
}

impl Lab {
    /// # Errors
    ///
    /// A file without a command, and what is no block or no command, with its line.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            let Some(kind) = line.trim_start().strip_prefix("```") else {
                continue;
            };
            ensure!(
                line.starts_with("```"),
                "line {number}: a fence does not begin its line"
            );
            let mut block = Vec::new();
            loop {
                match lines.next() {
                    Some((_, "```")) => break,
                    Some(line) => block.push(line),
                    None => bail!("line {number}: the block has no end"),
                }
            }
            match kind {
                "console" => steps.extend(parse_block(number, &block)?),
                kind if FOR_READING.contains(&kind) => {}
                kind => bail!("line {number}: no block is of the kind {kind:?}"),
            }
        }
        ensure!(!steps.is_empty(), "it has no command");
        Ok(Self { steps })
    }
}

/// The steps of the block whose fence is in the line `fence`.
fn parse_block(fence: usize, block: &[(usize, &str)]) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    // Until the first line of what is printed.
    let mut in_command = false;
    for (line, text) in block {
        if let Some(command) = text.strip_prefix("# ") {
            steps.push(Step {
                line: *line,
                command: command.to_owned(),
                expected: String::new(),
            });
            in_command = true;
            continue;
        }
        let step = steps
            .last_mut()
            .with_context(|| format!("line {line}: a block begins with `# ` and a command"))?;
        match text.strip_prefix("> ") {
            Some(more) if in_command => {
                step.command.push('\n');
                step.command += more;
            }
            _ => {
                in_command = false;
                step.expected += text;
                step.expected.push('\n');
            }
        }
    }
    ensure!(!steps.is_empty(), "line {fence}: the block is empty");
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Step>, String> {
        match Lab::parse(text) {
            Ok(lab) => Ok(lab.steps),
            Err(error) => Err(error.to_string()),
        }
    }

    fn step(line: usize, command: &str, expected: &str) -> Step {
        Step {
            line,
            command: command.to_owned(),
            expected: expected.to_owned(),
        }
    }

    #[test]
    fn commands_and_what_they_print() {
        let text = "words\n\n```console\n# one\na\n\n> b\n# two\n> three\n```\n\n\
                    ```c\n# not this\n```\n```console\n# four\n```\n";
        let expected = [
            step(4, "one", "a\n\n> b\n"),
            step(8, "two\nthree", ""),
            step(16, "four", ""),
        ];
        assert_eq!(parse(text), Ok(expected.into()));
    }

    #[test]
    fn what_would_not_be_run_is_a_mistake() {
        for (text, why) in [
            ("words\n", "it has no command"),
            ("```text\n# one\n```\n", "it has no command"),
            ("```console\n```\n", "line 1: the block is empty"),
            ("```console\n# one\n", "line 1: the block has no end"),
            (
                "```sh\n# one\n```\n",
                "line 1: no block is of the kind \"sh\"",
            ),
            (
                "\n```console x\n# one\n```\n",
                "line 2: no block is of the kind \"console x\"",
            ),
            ("```\n# one\n```\n", "line 1: no block is of the kind \"\""),
            (
                "  ```console\n# one\n```\n",
                "line 1: a fence does not begin its line",
            ),
            (
                "```console\n$ one\n```\n",
                "line 2: a block begins with `# ` and a command",
            ),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
