// SPDX-License-Identifier: GPL-2.0-only

//! The binary `lab` of the guest.

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use nsproxy_lab::{Facts, Lab, Question, Report};
use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

/// Print and grade the labs.
#[derive(Parser)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
struct Args {
    /// Print this lab [default: the list of the labs]
    number: Option<u32>,

    #[command(subcommand)]
    command: Option<Action>,

    /// Directory of the labs
    #[arg(long, global = true, hide = true, default_value = "/labs")]
    directory: PathBuf,
}

const AFTER_HELP: &str = "\
Example:
  lab 1
  lab hint 1 2
  lab check 1

Exit status:
  0  success, or all puzzles are solved
  1  a puzzle is not solved, or an error
  2  usage error";

#[derive(Subcommand)]
enum Action {
    /// Print a hint to a question
    Hint {
        /// The lab
        lab: u32,
        /// The question
        question: usize,
        /// The hint
        #[arg(default_value_t = 1)]
        step: usize,
    },
    /// Print the answer to a question, or all answers
    Answer {
        /// The lab
        lab: u32,
        /// The question [default: all]
        question: Option<usize>,
    },
    /// Grade the puzzles of a lab in the present state
    Check {
        /// The lab [default: all]
        lab: Option<u32>,
        /// The puzzle [default: all]
        puzzle: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a lab with hints, answers and solutions
    Teacher {
        /// The lab
        lab: u32,
    },
}

fn main() -> ExitCode {
    run(Args::parse()).unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: Args) -> Result<ExitCode> {
    let directory = &args.directory;
    let find = |number| Lab::find(directory, number);
    match args.command {
        None => match args.number {
            Some(number) => page(&find(number)?.student_edition()?),
            None => {
                let path = directory.join("README.md");
                page(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)
            }
        },
        Some(Action::Hint {
            lab,
            question,
            step,
        }) => hint(&find(lab)?, question, step),
        Some(Action::Answer { lab, question }) => answer(&find(lab)?, question),
        Some(Action::Check { lab, puzzle, json }) => {
            let labs = match lab {
                Some(number) => vec![find(number)?],
                None => Lab::read_all(directory)?,
            };
            check(&labs, puzzle, json)
        }
        Some(Action::Teacher { lab }) => page(&find(lab)?.teacher_edition()?),
    }
}

fn hint(lab: &Lab, question: usize, step: usize) -> Result<ExitCode> {
    let hints = &question_of(lab, question)?.hints;
    let count = hints.len();
    let hint = step.checked_sub(1).and_then(|index| hints.get(index));
    let hint =
        hint.with_context(|| format!("question {question} has {}", counted(count, "hint")))?;
    println!("{hint}");
    if step < count {
        println!(
            "\nNext hint: lab hint {} {question} {}",
            lab.number,
            step + 1
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(lab: &Lab, question: Option<usize>) -> Result<ExitCode> {
    if let Some(question) = question {
        println!("{}", question_of(lab, question)?.answer);
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for (number, question) in (1..).zip(&lab.questions) {
        let _ = write!(text, "## Question {number}\n\n{}\n\n", question.answer);
    }
    page(&text)
}

fn check(labs: &[Lab], puzzle: Option<usize>, json: bool) -> Result<ExitCode> {
    if let (Some(puzzle), [lab]) = (puzzle, labs) {
        let count = lab.puzzles.len();
        ensure!(
            (1..=count).contains(&puzzle),
            "lab {} has {}",
            lab.number,
            counted(count, "puzzle")
        );
    }
    let report = Report::new(labs, puzzle, &Facts::read()?);
    if json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    Ok(if report.is_solved() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn question_of(lab: &Lab, number: usize) -> Result<&Question> {
    let index = number.checked_sub(1);
    let question = index.and_then(|index| lab.questions.get(index));
    let count = lab.questions.len();
    question.with_context(|| format!("lab {} has {}", lab.number, counted(count, "question")))
}

/// Returns a number and a noun, such as "1 hint" or "2 hints".
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Prints a text, by pages if the output is a terminal.
fn page(text: &str) -> Result<ExitCode> {
    if !io::stdout().is_terminal() {
        io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut less = Command::new("less")
        .stdin(Stdio::piped())
        .spawn()
        .context("less")?;
    // The user may leave the pager before the end of the text.
    let mut stdin = less.stdin.take().context("less has no standard input")?;
    match stdin.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => drop(stdin),
    }
    less.wait()?;
    Ok(ExitCode::SUCCESS)
}
