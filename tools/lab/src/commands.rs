// SPDX-License-Identifier: GPL-2.0-only

//! The commands of a lab: the fenced blocks of kind `console` in its file.
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

/// The kinds of blocks that are not run. A block of an unknown kind is an error, since it would not be
/// run either.
const FOR_READING: [&str; 3] = ["c", "rust", "text"];

/// A command and its expected output.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// One or more lines.
    pub text: String,
    /// The output, in which `[..]` stands for any text in a line, and `...` for any lines.
    pub expected: String,
}

/// Returns the commands of a lab, in order.
///
/// # Errors
///
/// The line of an invalid block or command, or a file without a command.
pub fn parse(text: &str) -> Result<Vec<Command>> {
    let mut commands = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        ensure!(
            line.starts_with("```"),
            "line {number}: a fence must start its line"
        );
        let mut block = Vec::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some(line) => block.push(line),
                None => bail!("line {number}: the block does not end"),
            }
        }
        match kind {
            "console" => commands.extend(parse_block(number, &block)?),
            kind if FOR_READING.contains(&kind) => {}
            kind => bail!("line {number}: unknown kind of block {kind:?}"),
        }
    }
    ensure!(!commands.is_empty(), "the lab has no command");
    Ok(commands)
}

/// Returns the commands of a block. `fence` is the line of its fence.
fn parse_block(fence: usize, block: &[(usize, &str)]) -> Result<Vec<Command>> {
    let mut commands: Vec<Command> = Vec::new();
    // False from the first line of the output on.
    let mut in_command = false;
    for (line, text) in block {
        if let Some(command) = text.strip_prefix("# ") {
            commands.push(Command {
                line: *line,
                text: command.to_owned(),
                expected: String::new(),
            });
            in_command = true;
            continue;
        }
        let last = commands
            .last_mut()
            .with_context(|| format!("line {line}: a block must start with `# ` and a command"))?;
        match text.strip_prefix("> ") {
            Some(more) if in_command => {
                last.text.push('\n');
                last.text += more;
            }
            _ => {
                in_command = false;
                last.expected += text;
                last.expected.push('\n');
            }
        }
    }
    ensure!(!commands.is_empty(), "line {fence}: the block is empty");
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Command>, String> {
        super::parse(text).map_err(|error| error.to_string())
    }

    fn command(line: usize, text: &str, expected: &str) -> Command {
        Command {
            line,
            text: text.to_owned(),
            expected: expected.to_owned(),
        }
    }

    #[test]
    fn commands_and_their_output() {
        let text = "words\n\n```console\n# one\na\n\n> b\n# two\n> three\n```\n\n\
                    ```c\n# not this\n```\n```console\n# four\n```\n";
        let expected = [
            command(4, "one", "a\n\n> b\n"),
            command(8, "two\nthree", ""),
            command(16, "four", ""),
        ];
        assert_eq!(parse(text), Ok(expected.into()));
    }

    #[test]
    fn blocks_that_would_not_be_run_are_errors() {
        for (text, why) in [
            ("words\n", "the lab has no command"),
            ("```text\n# one\n```\n", "the lab has no command"),
            ("```console\n```\n", "line 1: the block is empty"),
            ("```console\n# one\n", "line 1: the block does not end"),
            (
                "```sh\n# one\n```\n",
                "line 1: unknown kind of block \"sh\"",
            ),
            (
                "\n```console x\n# one\n```\n",
                "line 2: unknown kind of block \"console x\"",
            ),
            ("```\n# one\n```\n", "line 1: unknown kind of block \"\""),
            (
                "  ```console\n# one\n```\n",
                "line 1: a fence must start its line",
            ),
            (
                "```console\n$ one\n```\n",
                "line 2: a block must start with `# ` and a command",
            ),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
