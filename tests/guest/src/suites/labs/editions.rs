// SPDX-License-Identifier: GPL-2.0-only

//! The command `lab`: the edition of students has no hint, answer or solution, that of teachers has all
//! of them, and students get each one by a command.

use super::session::Session;
use anyhow::{Result, bail};
use nsproxy_lab::Lab;

pub(super) fn check(lab: &Lab) -> Result<()> {
    let mut session = Session::start()?;
    let number = lab.number;
    let student = session.run(&format!("lab {number}"))?;
    let teacher = session.run(&format!("lab teacher {number}"))?;
    let mut wrong = Vec::new();
    let mut expect = |is_met: bool, what: String| {
        if !is_met {
            wrong.push(what);
        }
    };
    let mut hidden = Vec::new();
    for (index, question) in (1..).zip(&lab.questions) {
        expect(
            student.contains(&question.text) && teacher.contains(&question.text),
            format!("question {index} is not in both editions"),
        );
        for (step, hint) in (1..).zip(&question.hints) {
            let printed = session.run(&format!("lab hint {number} {index} {step}"))?;
            let last = step == question.hints.len();
            expect(
                printed.starts_with(hint) && printed.contains("Next hint:") != last,
                format!("lab hint {number} {index} {step} prints {printed:?}"),
            );
            hidden.push((format!("hint {step} of question {index}"), hint));
        }
        let printed = session.run(&format!("lab answer {number} {index}"))?;
        expect(
            printed.trim_end() == question.answer,
            format!("lab answer {number} {index} prints {printed:?}"),
        );
        hidden.push((format!("the answer of question {index}"), &question.answer));
    }
    for (index, puzzle) in (1..).zip(&lab.puzzles) {
        expect(
            student.contains(&puzzle.text) && teacher.contains(&puzzle.text),
            format!("puzzle {index} is not in both editions"),
        );
        hidden.push((format!("the solution of puzzle {index}"), &puzzle.solution));
        hidden.push((
            format!("the near miss of puzzle {index}"),
            &puzzle.near_miss,
        ));
    }
    for (what, text) in hidden {
        expect(!student.contains(text), format!("students see {what}"));
        expect(
            teacher.contains(text),
            format!("teachers do not see {what}"),
        );
    }
    if !wrong.is_empty() {
        bail!(wrong.join("\n"));
    }
    Ok(())
}
