// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy generate`: manual pages and completions, for those who package it.

use crate::status::ExitCode;
use anyhow::{Context as _, Result};
use clap::{Command, ValueEnum as _};
use clap_complete::Shell;
use std::{fs, path::PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to: man/ and completions/ are made there
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub(crate) fn main(args: &Args, mut command: Command) -> Result<ExitCode> {
    let directory = |name| {
        let directory = args.to.join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        anyhow::Ok(directory)
    };
    let completions = directory("completions")?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut command, "nsproxy", &completions)
            .with_context(|| format!("cannot write to {}", completions.display()))?;
    }
    let man = directory("man")?;
    clap_mangen::generate_to(command, &man)
        .with_context(|| format!("cannot write to {}", man.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn each_command_has_a_page_and_each_shell_a_file() {
        let to = std::env::temp_dir().join(format!("nsproxy-generate-{}", std::process::id()));
        let args = Args { to: to.clone() };
        main(&args, crate::Args::command()).unwrap();
        let names = |name| -> Vec<_> {
            let entries = fs::read_dir(to.join(name)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect()
        };
        let (man, completions) = (names("man"), names("completions"));
        fs::remove_dir_all(&to).unwrap();
        for page in ["nsproxy.1", "nsproxy-trace.1", "nsproxy-show.1"] {
            assert!(man.iter().any(|name| name == page), "{page}: {man:?}");
        }
        assert!(!man.iter().any(|name| name.contains("generate")), "{man:?}");
        assert!(
            completions.iter().any(|name| name == "_nsproxy"),
            "{completions:?}"
        );
    }
}
