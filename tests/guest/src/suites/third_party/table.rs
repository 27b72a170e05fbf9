// SPDX-License-Identifier: GPL-2.0-only

//! The table of commands, `commands.txt`.

use anyhow::{Context as _, Result, bail};

const TABLE: &str = include_str!("commands.txt");

/// The replacement of `USER` in a command.
pub(super) const USER: &str = "setpriv --reuid 1000 --regid 1000 --clear-groups";
/// The replacement of `PLUGIN` in a command.
pub(super) const PLUGIN: &str = "env CNI_CONTAINERID=box CNI_IFNAME=lo CNI_PATH=/usr/bin";

/// Commands that run one after the other, and what is expected of them.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) program: &'static str,
    pub(super) expected: Expected,
    pub(super) commands: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// setns(2) is called, and all commands succeed.
    Enters,
    /// setns(2) is called, and a command fails.
    Refused,
    /// setns(2) is not called.
    NoCall,
}

/// Returns all rows.
pub(super) fn rows() -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut program = "";
    for line in TABLE.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            program = name.trim_end_matches(']');
            continue;
        }
        let (word, command) = line.split_once(' ').context("missing command")?;
        let command = command.trim_start();
        let expected = match word {
            "enters" => Expected::Enters,
            "refused" => Expected::Refused,
            "no-call" => Expected::NoCall,
            "" => {
                let last = rows.last_mut().context("no row to continue")?;
                last.commands.push(command);
                continue;
            }
            _ => bail!("unknown expectation {word:?}"),
        };
        rows.push(Row {
            program,
            expected,
            commands: vec![command],
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::rows;
    use std::collections::HashSet;

    #[test]
    fn the_rows_can_be_read_and_are_different() {
        let rows = rows().unwrap();
        let commands: HashSet<_> = rows.iter().map(|row| row.commands.clone()).collect();
        assert!(commands.len() == rows.len() && rows.len() > 100);
        assert!(rows.iter().all(|row| !row.program.is_empty()));
    }
}
