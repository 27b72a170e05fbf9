// SPDX-License-Identifier: GPL-2.0-only

//! The questions of a lab, with their hints and answers.
//!
//! ````text
//! ## Question 1
//!
//! The question
//!
//! <details><summary>Hint</summary>
//!
//! The first hint, if there is one
//!
//! </details>
//!
//! <details><summary>Answer</summary>
//!
//! The answer
//!
//! </details>
//! ````

use anyhow::{Result, bail, ensure};

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The question itself.
    pub text: String,
    /// The hints, each of which says more than the one before.
    pub hints: Vec<String>,
    /// The answer.
    pub answer: String,
}

/// The beginning of a heading of a question, before its number.
pub(crate) const HEADING: &str = "## Question ";
const HINT: &str = "<details><summary>Hint</summary>";
const ANSWER: &str = "<details><summary>Answer</summary>";
const END: &str = "</details>";

/// A line of a lab, by the edition that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// For students as well.
    Text(&'a str),
    /// The start of a hint or an answer, which is for teachers.
    Begin(Folded),
    Folded(Folded, &'a str),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folded {
    Hint,
    Answer,
}

/// Splits the text of a lab into lines.
///
/// # Errors
///
/// A folded part is neither a hint nor an answer, or has no end.
pub(crate) fn lines(text: &str) -> Result<Vec<Line<'_>>> {
    let mut folded = None;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        lines.push(match (folded, line) {
            (None, HINT) => {
                folded = Some(Folded::Hint);
                Line::Begin(Folded::Hint)
            }
            (None, ANSWER) => {
                folded = Some(Folded::Answer);
                Line::Begin(Folded::Answer)
            }
            (Some(_), END) => {
                folded = None;
                Line::End
            }
            _ if line.contains("details>") => bail!("line {number}: unexpected {line:?}"),
            (Some(kind), line) => Line::Folded(kind, line),
            (None, line) => Line::Text(line),
        });
    }
    ensure!(folded.is_none(), "the last folded part has no end");
    Ok(lines)
}

/// Returns the questions of a lab.
///
/// # Errors
///
/// A question without a text, a hint or an answer; a hint after the answer; numbers out of order.
pub(crate) fn parse(text: &str) -> Result<Vec<Question>> {
    let mut questions: Vec<Question> = Vec::new();
    // `true` from the heading of a question to the next heading.
    let mut is_question = false;
    let mut fence = false;
    for line in lines(text)? {
        if let Line::Text(line) = line {
            fence ^= line.starts_with("```");
            if !fence && let Some(number) = line.strip_prefix(HEADING) {
                questions.push(Question::default());
                ensure!(
                    number == questions.len().to_string(),
                    "{line:?} is out of order"
                );
                is_question = true;
                continue;
            }
            is_question &= fence || !line.starts_with("## ");
        }
        let number = questions.len();
        let Some(question) = questions.last_mut().filter(|_| is_question) else {
            ensure!(
                matches!(line, Line::Text(_)),
                "a hint or an answer is outside of a question"
            );
            continue;
        };
        match line {
            Line::Text(line) => add(&mut question.text, line),
            Line::Begin(Folded::Hint) => {
                ensure!(
                    question.answer.is_empty(),
                    "question {number}: a hint follows the answer"
                );
                question.hints.push(String::new());
            }
            Line::Begin(Folded::Answer) => {
                ensure!(question.answer.is_empty(), "question {number}: two answers")
            }
            Line::Folded(Folded::Hint, line) => {
                add(question.hints.last_mut().expect("its beginning"), line);
            }
            Line::Folded(Folded::Answer, line) => add(&mut question.answer, line),
            Line::End => {}
        }
    }
    for (number, question) in (1..).zip(&mut questions) {
        let parts = [&mut question.text, &mut question.answer];
        for part in parts.into_iter().chain(&mut question.hints) {
            *part = part.trim().to_owned();
            ensure!(!part.is_empty(), "question {number}: a part is empty");
        }
        ensure!(!question.hints.is_empty(), "question {number}: no hint");
    }
    Ok(questions)
}

fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# 01 Title\n\n## Part\n\ntext\n\n## Question 1\n\nWhy?\n\n\
        <details><summary>Hint</summary>\n\nLook.\n\n</details>\n\n\
        <details><summary>Hint</summary>\n\nLook there.\n\n</details>\n\n\
        <details><summary>Answer</summary>\n\nSo.\n\n```console\n# a\n```\n\n</details>\n\n\
        ## Clean up\n\nmore\n";

    #[test]
    fn parts_of_a_question() {
        let expected = Question {
            text: "Why?".to_owned(),
            hints: vec!["Look.".to_owned(), "Look there.".to_owned()],
            answer: "So.\n\n```console\n# a\n```".to_owned(),
        };
        assert_eq!(parse(TEXT).unwrap(), [expected]);
        assert!(parse("# 01 Title\n").unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, why) in [
            (
                "Question 1",
                "Question 2",
                "\"## Question 2\" is out of order",
            ),
            ("Why?", "", "question 1: a part is empty"),
            ("Look.", "", "question 1: a part is empty"),
            ("<summary>Hint", "<summary>Tip", "unexpected"),
            (
                "<summary>Hint",
                "<summary>Answer",
                "question 1: two answers",
            ),
            ("</details>\n\n## Clean", "## Clean", "has no end"),
            ("## Question 1", "## Questions", "outside of a question"),
        ] {
            let text = TEXT.replace(from, to);
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let start = TEXT.find("<details><summary>Hint").unwrap();
        let end = TEXT.find("<details><summary>Answer").unwrap();
        let without = format!("{}{}", &TEXT[..start], &TEXT[end..]);
        assert_eq!(
            parse(&without).unwrap_err().to_string(),
            "question 1: no hint"
        );
        let late = TEXT.replace(
            "## Clean",
            "<details><summary>Hint</summary>\n\nx\n\n</details>\n\n## Clean",
        );
        assert_eq!(
            parse(&late).unwrap_err().to_string(),
            "question 1: a hint follows the answer"
        );
    }
}
