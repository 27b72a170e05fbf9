// SPDX-License-Identifier: GPL-2.0-only

//! Generates the tables of `docs/path.md` and `docs/checks.md`, and checks that they are complete.

mod c;
mod check_tables;
mod markdown;
mod module;
mod path_tables;

use anyhow::{Context as _, Result};
use c::Tree;
use clap::Parser;
use markdown::Document;
use module::Module;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check the tables of docs/path.md and docs/checks.md
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Directory of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Source of the kernel
    #[arg(long, value_name = "DIR")]
    kernel: PathBuf,
    /// Write the generated cells
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-path: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: &Args) -> Result<ExitCode> {
    let module = Module::read(&args.root)?;
    let mut kernel = Tree::new(&args.kernel);
    let mut complaints = Vec::new();
    for (name, update) in [
        ("docs/path.md", path_tables::update as Update),
        ("docs/checks.md", check_tables::update),
    ] {
        let path = args.root.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut document = Document::parse(&text);
        let mut wrong = update(&mut document, &module, &mut kernel).context(name)?;
        for text in document.texts() {
            module.update_links(text, &mut wrong);
        }
        let new = document.render();
        if args.write {
            fs::write(&path, new)?;
        } else if new != text {
            let lines = new
                .lines()
                .filter(|line| !text.lines().any(|old| old == *line));
            wrong.push(format!(
                "generated cells are out of date\n    {}\n    hint: make check CHECKS=path WRITE=1",
                lines.collect::<Vec<_>>().join("\n    ")
            ));
        }
        complaints.extend(wrong.iter().map(|wrong| format!("{name}: {wrong}")));
    }
    if complaints.is_empty() {
        println!("docs/path.md and docs/checks.md fit the kernel, the module and the tests");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", complaints.join("\n"));
    Ok(ExitCode::FAILURE)
}

/// Updates a document from the module, the kernel and the project. Returns complaints.
type Update = fn(&mut Document, &Module, &mut Tree) -> Result<Vec<String>>;

/// Returns the files in a directory and below, in order.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
