// SPDX-License-Identifier: GPL-2.0-only

//! One guest, from QEMU's start to its end.

use crate::{
    classify::{End, Outcome, classify},
    cli::{Accel, GuestArgs},
    initramfs::{self, Initramfs},
    kernel::Kernel,
    qemu::{self, Consoles},
    results::{self, ktap::Printed},
    suite::Suite,
    sys,
    verdict::Verdict,
};
use anyhow::{Context as _, Result, anyhow};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What guests are made of, ready to be booted.
pub(crate) struct Parts {
    pub(crate) kernel: Kernel,
    pub(crate) initramfs: Initramfs,
    /// Where what is kept of the kernel's guests is: of each suite in a directory of its own.
    pub(crate) results: PathBuf,
    /// The program that guests run, which runs here as well.
    tests: PathBuf,
}

impl Parts {
    /// Looks at the kernel, and makes the initramfs.
    pub(crate) fn make(args: &GuestArgs) -> Result<Self> {
        let kernel = Kernel::new(args)?;
        let results = args.results.join(&kernel.name);
        let initramfs = initramfs::make(&kernel, args, &results)?;
        Ok(Self {
            kernel,
            initramfs,
            results,
            tests: args.bin_dir.join("nsproxy-tests"),
        })
    }

    /// How many CPUs the guest of a suite has.
    ///
    /// # Errors
    ///
    /// There is no such suite.
    pub(crate) fn cpus_of(&self, suite: &Suite) -> Result<u32> {
        suite.cpus(&self.tests)
    }
}

/// What is to be booted, and how.
pub(crate) struct Guest<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) accel: Accel,
    pub(crate) timeout: Duration,
    /// The longest time without progress: no output of the suite, and none on the verdict port.
    pub(crate) silence: Duration,
    /// Options of `nsproxy-tests`.
    pub(crate) options: &'a [String],
    /// The tests to run, by a name or a part of one; empty for all.
    pub(crate) test: &'a str,
}

/// A guest that ran.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    /// The output of the suite.
    pub(crate) printed: Printed,
    /// Where its logs are.
    pub(crate) dir: PathBuf,
}

impl Guest<'_> {
    /// Boots a guest for `suite`, and waits for its end. Whatever it left of an earlier run in `dir`
    /// is replaced; what the suite prints goes to `show` as it comes.
    ///
    /// # Errors
    ///
    /// What the host cannot do. What the guest does wrong is an outcome.
    pub(crate) fn run(&self, suite: &Suite, dir: PathBuf, show: impl FnMut(&[u8])) -> Result<Ran> {
        let arguments = self.prepare(suite, &dir)?;
        let running = self.start(&dir, &arguments, |command| {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        })?;
        running.wait(show)
    }

    /// QEMU's arguments for a guest that runs `suite`, with its files in `dir`, which is emptied.
    pub(crate) fn prepare(&self, suite: &Suite, dir: &Path) -> Result<Vec<OsString>> {
        let kernel = &self.parts.kernel;
        let is_single_threaded = qemu::is_single_threaded(kernel, self.accel);
        let cpus = match suite.cpus_for_speed(is_single_threaded) {
            Some(cpus) => cpus,
            None => self.parts.cpus_of(suite)?,
        };
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut parameters = format!("nsproxy.suite={}", suite.name);
        for option in self.options {
            parameters += &format!(" nsproxy.option={option}");
        }
        if !self.test.is_empty() {
            // The command line is split at spaces, and no name contains a tilde.
            parameters += &format!(" nsproxy.test={}", self.test.replace(' ', "~"));
        }
        // Changing the features patches code of such a kernel. With KVM the features do not matter.
        if kernel.patches_itself() && !is_single_threaded {
            parameters += " nsproxy.features=default";
        }
        Ok(qemu::arguments(
            kernel,
            self.parts.initramfs.of_suite(&suite.name),
            self.accel,
            cpus,
            &parameters,
            &Consoles::Files(dir),
        ))
    }

    /// Starts what was prepared, and perhaps added to.
    pub(crate) fn start(
        &self,
        dir: &Path,
        arguments: &[OsString],
        stdio: impl FnOnce(&mut Command),
    ) -> Result<Running> {
        fs::write(dir.join("command"), qemu::as_shell(arguments))?;
        fs::write(dir.join("config"), self.parts.kernel.config())?;
        let begun = Instant::now();
        let errors = File::create(dir.join("qemu.log"))?;
        let child = start(arguments, |command| {
            stdio(command.stderr(errors));
        })?;
        Ok(Running {
            child,
            dir: dir.to_owned(),
            begun,
            timeout: self.timeout,
            silence: self.silence,
        })
    }
}

/// A guest that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    dir: PathBuf,
    begun: Instant,
    timeout: Duration,
    silence: Duration,
}

impl Running {
    /// Waits for its end, or ends it when it takes too long.
    pub(crate) fn wait(mut self, show: impl FnMut(&[u8])) -> Result<Ran> {
        let end = self.watch(show)?;
        let took = self.begun.elapsed();
        let console = read(&self.dir.join(qemu::CONSOLE));
        let verdict = Verdict::parse(&read(&self.dir.join(qemu::VERDICT)));
        let printed = results::printed(&self.dir);
        Ok(Ran {
            outcome: classify(&end, &console, &verdict, &printed),
            verdict,
            took,
            printed,
            dir: self.dir,
        })
    }

    fn watch(&mut self, mut show: impl FnMut(&[u8])) -> Result<End> {
        let Self { child, dir, .. } = self;
        let mut progress = Progress::new(dir);
        let mut output: Option<File> = None;
        let mut buffer = [0; 4096];
        let mut pass_on = || {
            if output.is_none() {
                output = File::open(dir.join(qemu::OUTPUT)).ok();
            }
            while let Some(file) = &mut output
                && let Ok(n @ 1..) = file.read(&mut buffer)
            {
                show(&buffer[..n]);
            }
        };
        loop {
            let status = child.try_wait().context("cannot wait for QEMU")?;
            pass_on();
            if let Some(status) = status {
                return Ok(end(status, &read(&dir.join("qemu.log"))));
            }
            let end = if self.begun.elapsed() > self.timeout {
                Some(End::TimedOut(self.timeout.as_secs()))
            } else if progress.silence() > self.silence {
                Some(End::Hung(self.silence.as_secs()))
            } else {
                None
            };
            if let Some(end) = end {
                child.kill().context("cannot end QEMU")?;
                child.wait().context("cannot wait for QEMU")?;
                return Ok(end);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The growth of a guest's logs.
struct Progress {
    logs: [PathBuf; 3],
    sizes: [u64; 3],
    last: Instant,
}

impl Progress {
    fn new(dir: &Path) -> Self {
        Self {
            logs: [qemu::OUTPUT, qemu::VERDICT, qemu::CONSOLE].map(|name| dir.join(name)),
            sizes: [0; 3],
            last: Instant::now(),
        }
    }

    /// Returns how long no log has grown. The kernel's messages count only until the guest has
    /// reported its suite, since a hung guest may print some, too.
    fn silence(&mut self) -> Duration {
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |file| file.len());
        let [output, verdict, console] = self.logs.each_ref().map(size);
        let sizes = [output, verdict, if verdict == 0 { console } else { 0 }];
        if sizes != self.sizes {
            self.sizes = sizes;
            self.last = Instant::now();
        }
        self.last.elapsed()
    }
}

/// Starts QEMU, which ends when the thread that did so does, however that comes: no guest outlives
/// its runner.
///
/// # Errors
///
/// It is not there, in words that say how to get it.
pub(crate) fn start(arguments: &[OsString], stdio: impl FnOnce(&mut Command)) -> Result<Child> {
    let mut command = Command::new(qemu::QEMU);
    command.args(arguments);
    stdio(&mut command);
    sys::exit_with_parent(&mut command);
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "{} is missing; as root: apt-get install qemu-system-x86",
            qemu::QEMU
        ),
        _ => anyhow!("cannot start {}: {error}", qemu::QEMU),
    })
}

fn end(status: ExitStatus, errors: &str) -> End {
    if status.success() {
        return End::Off;
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("QEMU failed with status {code}"),
        (None, Some(signal)) => format!("QEMU was killed by signal {signal}"),
        (None, None) => "QEMU failed".to_owned(),
    };
    End::Broken(match errors.lines().last() {
        Some(line) => format!("{how}: {line}"),
        None => how,
    })
}

/// A log, whatever is in it. One that is not there is empty.
pub(crate) fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
