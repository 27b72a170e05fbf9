// SPDX-License-Identifier: GPL-2.0-only

//! A lab: a file of `docs/labs` whose name begins with a number, and the file of its puzzles.

use crate::{
    puzzle::Puzzle,
    question::{self, Question},
    summary::Summary,
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A lab.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The number in its name.
    pub number: u32,
    /// The name of its file, without the extension.
    pub name: String,
    /// The text, as Markdown.
    pub text: String,
    /// The questions in the text.
    pub questions: Vec<Question>,
    /// The puzzles.
    pub puzzles: Vec<Puzzle>,
    pub(crate) summary: Summary,
}

impl Lab {
    /// Reads all labs of a directory, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// There is none, a number is missing, or a file is invalid.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>> {
        let files = files(directory)?;
        ensure!(!files.is_empty(), "no lab in {}", directory.display());
        let labs: Vec<_> = files
            .iter()
            .map(|(number, path)| Self::read(*number, path))
            .collect::<Result<_>>()?;
        for (number, lab) in (0..).zip(&labs) {
            ensure!(lab.number == number, "lab {number:02} is missing");
        }
        Ok(labs)
    }

    /// Reads the lab with this number.
    ///
    /// # Errors
    ///
    /// There is none, or a file is invalid.
    pub fn find(directory: &Path, number: u32) -> Result<Self> {
        let files = files(directory)?;
        let Some((_, path)) = files.iter().find(|(found, _)| *found == number) else {
            bail!("no lab {number}; hint: `lab` lists them");
        };
        Self::read(number, path)
    }

    fn read(number: u32, path: &Path) -> Result<Self> {
        let read = |path: &Path| fs::read_to_string(path).context(path.display().to_string());
        let of_file = |path: &Path| path.display().to_string();
        let text = read(path)?;
        let toml = path.with_extension("toml");
        let puzzles = Puzzle::parse(&read(&toml)?).with_context(|| of_file(&toml))?;
        let questions = question::parse(&text).with_context(|| of_file(path))?;
        let summary =
            Summary::parse(&text, number, puzzles.len()).with_context(|| of_file(path))?;
        let name = path.file_stem().unwrap_or_default();
        Ok(Self {
            number,
            name: name.to_string_lossy().into_owned(),
            text,
            questions,
            puzzles,
            summary,
        })
    }
}

/// Returns the numbers and files of the labs, in order.
fn files(directory: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name
            .split_once('-')
            .and_then(|(number, _)| number.parse().ok());
        if let (Some(number), true) = (number, name.ends_with(".md")) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}
