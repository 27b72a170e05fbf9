// SPDX-License-Identifier: GPL-2.0-only

//! Runs all mutants: on one kernel, and the survivors on a second one.

use crate::{
    Component, cache, caught, patches,
    report::{self, Durations, Outcome, Progress},
    source::Source,
    suite_runner::{Kernel, Module},
    suites::Suites,
    switched,
    table::Mutant,
};
use anyhow::{Context as _, Result};
use std::{
    fs, panic,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The flavour for survivors: its sanitizers detect more mistakes.
const DEBUG: &str = "debug";

/// Runs the suites on the mutants with the flavour `which`. Surviving mutants of the module run on
/// [`DEBUG`] as well. The outcomes are stored if `mutants` are `all` of the component.
pub(crate) fn run(
    root: PathBuf,
    component: Component,
    which: &str,
    all: &[Mutant],
    mutants: &[&Mutant],
) -> Result<ExitCode> {
    let begun = Instant::now();
    let mut run = Run::new(root, component)?;
    let (mut kernel, mut unchanged) = run.unchanged(which)?;
    if component == Component::Kernel {
        run.switch(all, &mut kernel, &mut unchanged)?;
    }
    let suites = Suites::of(kernel, unchanged, all)?;
    let outcomes = run.round(&suites, mutants)?;
    let mut outcomes: Vec<_> = mutants.iter().copied().zip(outcomes).collect();

    let mut alive: Vec<_> = outcomes.iter_mut().filter(is_alive).collect();
    if !alive.is_empty() && which != DEBUG && component == Component::Module {
        println!("{} survived on {}", alive.len(), suites.kernel.name);
        let (kernel, unchanged) = run.unchanged(DEBUG)?;
        let debug = Suites::in_order_of(&suites, kernel, unchanged);
        let again: Vec<_> = alive.iter().map(|(mutant, _)| *mutant).collect();
        for ((_, old), new) in alive.iter_mut().zip(run.round(&debug, &again)?) {
            *old = old.clone().then(new);
        }
    }

    caught::store(&run.root, component, &outcomes)?;
    if mutants.len() == all.len() {
        let path = format!("build/results/{}/{}.json", suites.kernel.name, run.name);
        report::write_results(&run.root.join(path), &outcomes)?;
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("{} mutants in {minutes:.1} minutes", outcomes.len());
    let is_good = report::print_summary(&outcomes, &run.logs);
    Ok(ExitCode::from(u8::from(!is_good)))
}

/// Returns whether a mutant survived that is not marked as equivalent.
fn is_alive((mutant, outcome): &&mut (&Mutant, Outcome)) -> bool {
    mutant.equivalent.is_none() && matches!(outcome, Outcome::Survived(_))
}

/// The state that all mutants share.
struct Run<'a> {
    root: PathBuf,
    /// The name of the directory of their logs.
    name: &'static str,
    /// One mutant of the module is built at a time, while others run.
    source: Mutex<Source>,
    /// The mutants that the kernel contains.
    switched: Option<&'a [Mutant]>,
    /// The directory of their logs; each mutant has one of its name.
    logs: PathBuf,
}

impl<'a> Run<'a> {
    fn new(root: PathBuf, component: Component) -> Result<Self> {
        let name = match component {
            Component::Module => "mutants",
            Component::Kernel => "kernel-mutants",
        };
        let logs = root.join("build/results").join(name);
        fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        Ok(Self {
            source: Mutex::new(Source::of(&root)?),
            switched: None,
            logs,
            name,
            root,
        })
    }

    /// Returns a kernel, and the original module built for it.
    fn unchanged(&self, which: &str) -> Result<(Kernel, Module)> {
        let kernel = Kernel::get(&self.root, which)?;
        let unchanged = self.module(&kernel, None)?;
        self.source().build(&kernel.which, None, &unchanged.file)?;
        Ok((kernel, unchanged))
    }

    /// Builds the kernel that contains all `mutants`, and replaces the kernel by it. The suites then
    /// run with the original on it as well.
    fn switch(
        &mut self,
        mutants: &'a [Mutant],
        kernel: &mut Kernel,
        unchanged: &mut Module,
    ) -> Result<()> {
        println!("building a kernel with {} mutants", mutants.len());
        let dir = kernel.dir().context("the kernel has no directory")?;
        let patch = self.logs.join("switched.patch");
        switched::write(mutants, &dir.join("source"), &patch)?;
        *kernel = kernel.built_in(&patches::build(&self.root, "mutants", &patch)?);
        unchanged.key.add_file(&patch)?;
        self.switched = Some(mutants);
        Ok(())
    }

    /// Returns each mutant's outcome on a kernel.
    fn round(&self, suites: &Suites, mutants: &[&Mutant]) -> Result<Vec<Outcome>> {
        let progress = Progress::new(mutants);
        in_parallel(mutants, |mutant| {
            let (outcome, took) = self.one(suites, mutant)?;
            progress.done(mutant, &outcome, took);
            Ok(outcome)
        })
    }

    /// Returns a mutant's outcome, and its durations unless it was cached.
    fn one(&self, suites: &Suites, mutant: &Mutant) -> Result<(Outcome, Option<Durations>)> {
        let kernel = &suites.kernel;
        let module = self.module(kernel, Some(mutant))?;
        let path = module.logs.join(format!("{}.json", kernel.name));
        if let Some(outcome) = cache::read(&path, &module.key) {
            return Ok((outcome, None));
        }
        let begun = Instant::now();
        let kernel = match self.build(suites, mutant, &module) {
            Ok(built) => built,
            Err(why) => {
                let took = Durations {
                    build: begun.elapsed(),
                    suites: Duration::ZERO,
                };
                return Ok((Outcome::Broken(format!("{why:#}")), Some(took)));
            }
        };
        let (build_took, begun) = (begun.elapsed(), Instant::now());
        let outcome = suites.outcome(&kernel, &module, mutant.caught_by.as_ref())?;
        kernel.tidy(&module);
        if !matches!(outcome, Outcome::Broken(_)) {
            cache::write(&path, &module.key, &outcome)?;
        }
        let took = Durations {
            build: build_took,
            suites: begun.elapsed(),
        };
        Ok((outcome, Some(took)))
    }

    /// Returns the original module or a mutant for a kernel; [`build`](Self::build) builds it.
    fn module(&self, kernel: &Kernel, mutant: Option<&Mutant>) -> Result<Module> {
        let logs = match mutant {
            Some(mutant) => self.logs.join(&mutant.name),
            // Both components use the durations with the original module.
            None => self.root.join("build/results/mutants/unchanged"),
        };
        fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        let mut key = kernel.key.clone();
        self.source().key(mutant, &mut key)?;
        Ok(Module {
            file: logs.join("nsproxy_rs.ko"),
            logs,
            key,
        })
    }

    /// Provides the module of a mutant: it is built, or for one of the kernel, it is the original.
    /// Returns the kernel to boot.
    fn build(&self, suites: &Suites, mutant: &Mutant, module: &Module) -> Result<Kernel> {
        let kernel = &suites.kernel;
        let Some(all) = self.switched else {
            let source = self.source();
            source.build(&kernel.which, Some(mutant), &module.file)?;
            return Ok(kernel.clone());
        };
        fs::copy(&suites.unchanged.file, &module.file)
            .with_context(|| module.file.display().to_string())?;
        let parameter = switched::parameter(all, mutant).context("no such mutant")?;
        Ok(kernel.with_parameter(parameter))
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of CPUs: that many mutants run at a time.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Applies `work` to each item, on [`threads`] threads. Returns the results in order.
///
/// # Errors
///
/// The first error of `work`. No item starts after it, and running ones are completed.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let queue = Mutex::new(items.iter().enumerate());
    let queue = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let worker = || {
        let pull = || queue().next();
        let apply = |(n, item)| {
            Ok((
                n,
                work(item).inspect_err(|_| queue().by_ref().for_each(drop))?,
            ))
        };
        std::iter::from_fn(pull)
            .map(apply)
            .collect::<Result<Vec<_>>>()
    };
    let done: Result<Vec<_>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads()).map(|_| scope.spawn(worker)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        };
        workers.into_iter().map(join).collect()
    });
    let mut done: Vec<_> = done?.into_iter().flatten().collect();
    done.sort_by_key(|(n, _)| *n);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::in_parallel;
    use anyhow::ensure;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    #[test]
    fn results_keep_their_order_and_an_error_stops_the_threads() {
        let items: Vec<_> = (0..100).collect();
        let doubled = in_parallel(&items, |n| Ok(2 * n)).unwrap();
        assert!(doubled.into_iter().eq((0..100).map(|n| 2 * n)));

        let started = AtomicUsize::new(0);
        let failed = in_parallel(&items, |_| {
            ensure!(started.fetch_add(1, Ordering::Relaxed) > 0, "the first");
            thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        assert_eq!(failed.unwrap_err().to_string(), "the first");
        assert!(started.into_inner() < items.len());
    }
}
