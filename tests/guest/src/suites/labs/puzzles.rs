// SPDX-License-Identifier: GPL-2.0-only

//! The puzzles: `lab check` must accept the solution, and neither an untouched guest nor the near miss.

use super::{
    compare::{ANY_LINES, ANY_TEXT, diff},
    leftovers::Before,
    session::Session,
};
use anyhow::{Context as _, Result, bail, ensure};
use nsproxy_lab::Lab;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long to wait for the expected grade. The kernel drops some references in the background.
const TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);
/// Prints the counts of the namespaces that puzzles leave. The initial nsproxy is left out: the kernel
/// starts and ends threads that share it.
const PRINT_COUNTS: &str = "for pid in $(pidof sleep); do nsproxy show -t $pid; done | \
                            grep -v -e initial -e ^nsproxy";

/// A state, and what the grader prints about it.
struct State<'a> {
    commands: &'a str,
    clean_up: &'a str,
    /// The expected output, in which [`ANY_TEXT`] and [`ANY_LINES`] stand for any text.
    expected: String,
    /// An output that is wrong at any time.
    forbidden: &'a str,
}

/// Checks the grades of one puzzle in three states.
pub(super) fn check(lab: &Lab, index: usize) -> Result<()> {
    let puzzle = &lab.puzzles[index];
    let number = index + 1;
    let command = format!("lab check {} {number}; echo status $?", lab.number);
    let head = |points: u32| format!("lab {:02}: {points} of {}", lab.number, puzzle.points);
    let unit = if puzzle.points == 1 {
        "point"
    } else {
        "points"
    };
    let solved = format!(
        "{} {unit}\npuzzle {number}: solved\nstatus 0\n",
        head(puzzle.points)
    );
    let not_solved = |lines: &[&str]| {
        let lines: String = lines
            .iter()
            .map(|line| match *line {
                ANY_LINES => format!("{line}\n"),
                line => format!("  {line}\n"),
            })
            .collect();
        let head = head(0);
        format!(
            "{head} {unit}\npuzzle {number}: not solved, {ANY_TEXT} conditions met\n{lines}status 1\n"
        )
    };
    let says: Vec<_> = puzzle.near_miss_says.lines().collect();
    let states = [
        (
            "nothing done",
            State {
                commands: "",
                clean_up: "",
                expected: not_solved(&[ANY_TEXT, ANY_LINES]),
                forbidden: &solved,
            },
        ),
        (
            "near miss",
            State {
                commands: &puzzle.near_miss,
                clean_up: &puzzle.clean_up,
                expected: not_solved(&says),
                forbidden: &solved,
            },
        ),
        (
            "solution",
            State {
                commands: &puzzle.solution,
                clean_up: &puzzle.clean_up,
                expected: solved.clone(),
                forbidden: "",
            },
        ),
    ];
    let before = Before::record()?;
    for (name, state) in states {
        check_state(&state, &command).context(name)?;
    }
    ensure_nothing_left(before)
}

/// Creates a state in a new session, grades it, and removes it.
fn check_state(state: &State<'_>, command: &str) -> Result<()> {
    let mut session = Session::start()?;
    let printed = session.run(state.commands)?;
    let graded = wait_for_grade(&mut session, command, &state.expected, state.forbidden);
    let cleaned = session.run(state.clean_up)?;
    graded?;
    ensure!(printed.is_empty(), "the commands print {printed:?}");
    ensure!(cleaned.is_empty(), "the clean-up prints {cleaned:?}");
    Ok(())
}

/// Runs the grader until it prints `expected`.
///
/// # Errors
///
/// It prints `forbidden`, or something else until the timeout.
fn wait_for_grade(
    session: &mut Session,
    command: &str,
    expected: &str,
    forbidden: &str,
) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let printed = session.run(command)?;
        ensure!(printed != forbidden, "the grader accepts it:\n{printed}");
        let Some(diff) = diff(expected, &printed) else {
            return Ok(());
        };
        if Instant::now() > deadline {
            bail!(diff);
        }
        thread::sleep(PAUSE);
    }
}

/// Checks that the solutions of a lab do not disturb each other, and that the grader changes nothing.
pub(super) fn check_all(lab: &Lab) -> Result<()> {
    let before = Before::record()?;
    let mut session = Session::start()?;
    for puzzle in &lab.puzzles {
        session.run(&puzzle.solution)?;
    }
    let points: u32 = lab.puzzles.iter().map(|puzzle| puzzle.points).sum();
    let command = format!("lab check {}", lab.number);
    let expected = format!(
        "lab {:02}: {points} of {points} {ANY_TEXT}\n{ANY_LINES}\n",
        lab.number
    );
    let graded = wait_for_grade(&mut session, &command, &expected, "");
    let counts = session.run(PRINT_COUNTS)?;
    session.run(&command)?;
    let counts_after = session.run(PRINT_COUNTS)?;
    for puzzle in &lab.puzzles {
        session.run(&puzzle.clean_up)?;
    }
    drop(session);
    graded?;
    if let Some(diff) = diff(&counts, &counts_after) {
        bail!("the grader changes counts:\n{diff}");
    }
    ensure_nothing_left(before)
}

fn ensure_nothing_left(before: Before) -> Result<()> {
    let leftovers = before.leftovers()?;
    ensure!(
        leftovers.is_empty(),
        "left behind: {}",
        leftovers.join(", ")
    );
    Ok(())
}
