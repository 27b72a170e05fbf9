// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy generate`: manual pages and completions, for packages.

use crate::status::ExitCode;
use anyhow::{Context as _, Result};
use chrono::DateTime;
use clap::{Arg, Command, ValueEnum as _};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use std::{env, fs, path::PathBuf};

/// The date on the pages, unless `SOURCE_DATE_EPOCH` sets another one, and its version.
const RELEASE: (&str, &str) = ("2026-11-28", "0.1.0");

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory in which to create man/ and completions/
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub(crate) fn main(args: &Args, command: Command) -> Result<ExitCode> {
    let directory = |name| {
        let directory = args.to.join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        anyhow::Ok(directory)
    };
    let completions = directory("completions")?;
    for shell in Shell::value_variants() {
        // Adds the subcommand help, which has no page.
        let mut command = command.clone();
        clap_complete::generate_to(*shell, &mut command, "nsproxy", &completions)
            .with_context(|| format!("cannot write to {}", completions.display()))?;
    }
    let man = directory("man")?;
    let date = date(env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in [&command].into_iter().chain(shown) {
        let name = command.get_display_name().unwrap_or("nsproxy");
        let path = man.join(format!("{name}.1"));
        let page = tidy(&page(command.clone(), &date)?);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the date of `epoch`, in seconds since 1970, or that of the release.
///
/// # Errors
///
/// `epoch` is not a number of seconds.
fn date(epoch: Option<&str>) -> Result<String> {
    let Some(epoch) = epoch else {
        return Ok(RELEASE.0.to_owned());
    };
    let seconds = epoch.parse().ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let time = time.with_context(|| format!("SOURCE_DATE_EPOCH is not a time: {epoch}"))?;
    Ok(time.date_naive().to_string())
}

/// The first line of a paragraph of `--help` that becomes a section of the page.
const EXIT_STATUS: &str = "Exit status:";
const EXAMPLE: &str = "Example:";

/// Writes the page of a command. The end of `--help` becomes the sections EXIT STATUS, NOTES and
/// EXAMPLES.
fn page(command: Command, date: &str) -> Result<String> {
    let usage = usage(&command);
    let after = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (statuses, others): (Vec<_>, Vec<_>) = after
        .split("\n\n")
        .filter(|text| !text.is_empty())
        .partition(|text| text.starts_with(EXIT_STATUS));
    let (examples, notes): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|text| text.starts_with(EXAMPLE));
    let has = [
        command.get_arguments().any(|arg| !arg.is_hide_set()),
        command.has_subcommands(),
        command.get_version().is_some(),
    ];

    let man = Man::new(command.override_usage(usage))
        .date(date)
        .source(concat!("nsproxy ", env!("CARGO_PKG_VERSION")))
        .manual("nsproxy_rs");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if has[0] {
        man.render_options_section(&mut page)?;
    }
    if has[1] {
        man.render_subcommands_section(&mut page)?;
    }
    let sections = [
        ("EXIT STATUS", statuses),
        ("NOTES", notes),
        ("EXAMPLES", examples),
    ];
    for (title, paragraphs) in sections {
        if paragraphs.is_empty() {
            continue;
        }
        let mut section = Roff::new();
        section.control("SH", [title]);
        for paragraph in paragraphs {
            section.control("PP", []);
            // The title of the section replaces these lines.
            let is_title = |line: &&str| [EXIT_STATUS, EXAMPLE].contains(line);
            let lines = paragraph.lines().filter(|line| !is_title(line));
            for line in lines {
                section.text([roman(line)]);
            }
        }
        section.to_writer(&mut page)?;
    }
    if has[2] {
        man.render_version_section(&mut page)?;
    }
    String::from_utf8(page).context("a page is not UTF-8")
}

/// Drops requests that have no effect, of which mandoc(1) warns: a paragraph at the beginning of a
/// section, and line breaks around an empty line.
fn tidy(page: &str) -> String {
    let page = page.replace("\n.br\n\n.br\n", "\n.sp\n");
    let mut tidy = String::new();
    let mut begins_section = false;
    for line in page.lines() {
        if !(begins_section && line == ".PP") {
            tidy += line;
            tidy.push('\n');
        }
        begins_section = line.starts_with(".SH");
    }
    tidy
}

/// Returns the synopsis with the names of all arguments. That of clap omits them.
fn usage(command: &Command) -> String {
    let arguments = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let mut words = vec![command.get_bin_name().unwrap_or("nsproxy").to_owned()];
    words.extend(arguments.map(argument));
    if command.has_subcommands() {
        words.push("COMMAND".to_owned());
    }
    words.join(" ")
}

fn argument(arg: &Arg) -> String {
    let option = match (arg.get_short(), arg.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => String::new(),
    };
    let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
    let names = arg.get_value_names().unwrap_or_default();
    let value = names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    if arg.is_positional() {
        format!("[{value}...]")
    } else if !takes_value {
        format!("[{option}]")
    } else if arg.is_require_equals_set() {
        format!("[{option}[={value}]]")
    } else {
        format!("[{option} {value}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::{collections::BTreeMap, process};

    /// Generates the pages, by name, and returns them with the names of the completions.
    fn generated(by: &str) -> (BTreeMap<String, String>, Vec<String>) {
        let to = env::temp_dir().join(format!("nsproxy-generate-{by}-{}", process::id()));
        let args = Args { to: to.clone() };
        main(&args, crate::Args::command()).unwrap();
        let names = |name| -> Vec<_> {
            let entries = fs::read_dir(to.join(name)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect()
        };
        let page = |name: String| {
            let text = fs::read_to_string(to.join("man").join(&name)).unwrap();
            (name, text)
        };
        let generated = (
            names("man").into_iter().map(page).collect(),
            names("completions"),
        );
        fs::remove_dir_all(&to).unwrap();
        generated
    }

    #[test]
    fn each_command_has_a_page_and_each_shell_a_file() {
        let (man, completions) = generated("names");
        let command = crate::Args::command();
        let shown = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let mut names: Vec<_> = shown
            .map(|command| format!("nsproxy-{}.1", command.get_name()))
            .collect();
        names.push("nsproxy.1".to_owned());
        names.sort();
        assert!(man.keys().eq(&names), "{:?}", man.keys());
        assert!(
            completions.iter().any(|name| name == "_nsproxy"),
            "{completions:?}"
        );
    }

    #[test]
    fn pages_have_the_sections_of_manual_pages() {
        let (man, _) = generated("sections");
        for (name, page) in man {
            let title = page.lines().find(|line| line.starts_with(".TH")).unwrap();
            let date = env::var("SOURCE_DATE_EPOCH").is_err();
            assert!(
                !date || title.contains(&format!("1 {} ", RELEASE.0)),
                "{title}"
            );
            assert!(!page.contains("EXTRA"), "{name}: {page}");
            for odd in ["\n.br\n\n", "\n\n.br\n"] {
                assert!(!page.contains(odd), "{name}: {page}");
            }
            let mut lines = page.lines().zip(page.lines().skip(1));
            assert!(
                !lines.any(|(first, second)| first.starts_with(".SH") && second == ".PP"),
                "{name}: {page}"
            );
            assert!(page.contains(".SH EXAMPLES"), "{name}");
            assert!(
                page.contains(".SH \"EXIT STATUS\"") || name == "nsproxy.1",
                "{name}"
            );
        }
    }

    #[test]
    fn the_synopsis_names_arguments() {
        let command = crate::Args::command();
        let setns = command.find_subcommand("setns").unwrap().clone();
        let mut setns = setns.bin_name("nsproxy setns");
        setns.build();
        let usage = usage(&setns);
        for part in ["nsproxy setns [-t PID] [-a]", "[-n[=FILE]]", "[COMMAND...]"] {
            assert!(usage.contains(part), "{usage}");
        }
    }

    #[test]
    fn dates_are_reproducible() {
        assert_eq!(date(None).unwrap(), RELEASE.0);
        assert_eq!(date(Some("951782400")).unwrap(), "2000-02-29");
        assert!(date(Some("today")).is_err());
        assert_eq!(
            RELEASE.1,
            env!("CARGO_PKG_VERSION"),
            "the date is that of the version"
        );
    }
}
