// SPDX-License-Identifier: GPL-2.0-only

//! Do the tests notice? Breaks the module, one line at a time, as `mutants.toml` says, and runs
//! the suites until one fails.

mod guests;
mod known;
mod report;
mod source;
mod table;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use guests::Kernel;
use known::{Key, Known};
use report::{Fate, Progress};
use source::Source;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use table::Mutant;

/// Breaks the module, one line at a time, and sees whether the tests notice.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    /// Where the project is
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See whether every entry of the table fits the source
    Check,
    /// Build and run them
    Run {
        /// The kernel, as `make` names it; what survives there is tried on `debug` as well
        #[arg(long, value_name = "KERNEL", default_value = "lab")]
        kernel: String,
        /// Only those with one of these words in their names
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
}

/// The kernel that sees more.
const DEBUG: &str = "debug";

fn main() -> ExitCode {
    obey(Args::parse()).unwrap_or_else(|error| {
        eprintln!("nsproxy-mutants: {error:#}");
        ExitCode::FAILURE
    })
}

fn obey(Args { root, command }: Args) -> Result<ExitCode> {
    let root = root.canonicalize().context("--root")?;
    let mutants = table::read(&root)?;
    match command {
        Command::Check => {
            println!("{} mutants fit the source", mutants.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { kernel, words } => {
            let is_chosen = |mutant: &&Mutant| {
                words.is_empty() || words.iter().any(|word| mutant.name.contains(word))
            };
            let chosen: Vec<_> = mutants.iter().filter(is_chosen).collect();
            ensure!(
                !chosen.is_empty(),
                "no mutant has {} in its name; tests/mutants/mutants.toml names them",
                words.join(" or ")
            );
            let is_all = chosen.len() == mutants.len();
            Run::new(root)?.all(&kernel, &chosen, is_all)
        }
    }
}

/// What all mutants have in common.
struct Run {
    root: PathBuf,
    /// One is built at a time, while others run.
    source: Mutex<Source>,
    /// Where the logs of each are, in a directory of its name.
    logs: PathBuf,
}

impl Run {
    fn new(root: PathBuf) -> Result<Self> {
        Ok(Self {
            source: Mutex::new(Source::of(&root)?),
            logs: root.join("build/results/mutants"),
            root,
        })
    }

    /// Everything; `is_all` if that is every mutant there is, so that the outcome is worth keeping.
    fn all(&self, which: &str, mutants: &[&Mutant], is_all: bool) -> Result<ExitCode> {
        let begun = Instant::now();
        let kernel = self.kernel(which)?;
        let mut fates = self.round(&kernel, mutants)?;

        let is_alive = |(mutant, fate): &&mut (&Mutant, Fate)| {
            mutant.equivalent.is_none() && matches!(fate, Fate::Survived(_))
        };
        let mut alive: Vec<_> = fates.iter_mut().filter(is_alive).collect();
        if !alive.is_empty() && which != DEBUG {
            println!("{} survived on {}", alive.len(), kernel.name);
            let debug = self.kernel(DEBUG)?;
            let again: Vec<_> = alive.iter().map(|(mutant, _)| *mutant).collect();
            for (old, (_, new)) in alive.iter_mut().zip(self.round(&debug, &again)?) {
                old.1 = match new {
                    Fate::Survived(kernels) => {
                        Fate::Survived([vec![kernel.name.clone()], kernels].concat())
                    }
                    fate => fate,
                };
            }
        }

        if is_all {
            let path = format!("build/results/{}/mutants.json", kernel.name);
            report::keep(&self.root.join(path), &fates)?;
        }
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        println!("{} mutants in {minutes:.1} minutes", fates.len());
        let is_good = report::sum(&fates, &self.logs);
        Ok(ExitCode::from(u8::from(!is_good)))
    }

    /// A kernel on which the module as it is passes everything.
    fn kernel(&self, which: &str) -> Result<Kernel> {
        let mut kernel = Kernel::get(&self.root, which)?;
        let logs = self.logs_of("unchanged")?;
        let key = self.key(&kernel, None)?;
        let known = logs.join(format!("{}.json", kernel.name));
        if Known::read(&known, &key).is_none() {
            println!("First the module as it is, on {}:", kernel.name);
            let module = logs.join("nsproxy_rs.ko");
            self.build(&kernel, None, &module)?;
            kernel.baseline(&module, &logs)?;
            tidy(&kernel, &logs);
            let fate = Fate::Survived(vec![kernel.name.clone()]);
            Known::write(&known, &key, &fate)?;
        }
        kernel.learn(&logs)?;
        Ok(kernel)
    }

    /// Each of the mutants on a kernel, as many at a time as there are CPUs.
    fn round<'a>(
        &self,
        kernel: &Kernel,
        mutants: &[&'a Mutant],
    ) -> Result<Vec<(&'a Mutant, Fate)>> {
        let progress = Progress::new(mutants);
        let next = AtomicUsize::new(0);
        let fates = Mutex::new(vec![None; mutants.len()]);
        let work = || -> Result<()> {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(mutant) = mutants.get(n) else {
                    return Ok(());
                };
                let (fate, took) = self.one(kernel, mutant)?;
                progress.done(mutant, &fate, took);
                let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
                fates[n] = Some(fate);
            }
        };
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cpus).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        let fates = fates.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(mutants
            .iter()
            .copied()
            .zip(fates.into_iter().flatten())
            .collect())
    }

    /// What comes of a mutant, and how long it took to see, unless that was known.
    fn one(&self, kernel: &Kernel, mutant: &Mutant) -> Result<(Fate, Option<Duration>)> {
        let logs = self.logs_of(&mutant.name)?;
        let key = self.key(kernel, Some(mutant))?;
        let known = logs.join(format!("{}.json", kernel.name));
        if let Some(known) = Known::read(&known, &key) {
            return Ok((known.fate, None));
        }
        let begun = Instant::now();
        let module = logs.join("nsproxy_rs.ko");
        if let Err(why) = self.build(kernel, Some(mutant), &module) {
            return Ok((Fate::Broken(format!("{why:#}")), Some(begun.elapsed())));
        }
        let fate = match kernel.notice(&module, &logs) {
            Ok(Some(notice)) => Fate::Caught(notice),
            Ok(None) => Fate::Survived(vec![kernel.name.clone()]),
            Err(why) => Fate::Broken(format!("{why:#}")),
        };
        tidy(kernel, &logs);
        if !matches!(fate, Fate::Broken(_)) {
            Known::write(&known, &key, &fate)?;
        }
        Ok((fate, Some(begun.elapsed())))
    }

    /// All that the fate of a module on a kernel depends on.
    fn key(&self, kernel: &Kernel, mutant: Option<&Mutant>) -> Result<Key> {
        let mut key = kernel.key.clone();
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.key(mutant, &mut key)?;
        Ok(key)
    }

    fn build(&self, kernel: &Kernel, mutant: Option<&Mutant>, module: &Path) -> Result<()> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.build(&kernel.which, mutant, module)
    }

    fn logs_of(&self, name: &str) -> Result<PathBuf> {
        let dir = self.logs.join(name);
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Ok(dir)
    }
}

/// Removes what is large and can be made again.
fn tidy(kernel: &Kernel, logs: &Path) {
    let _ = fs::remove_file(logs.join("nsproxy_rs.ko"));
    let _ = fs::remove_file(logs.join(&kernel.name).join("initramfs.cpio"));
}
