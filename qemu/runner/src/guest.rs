// SPDX-License-Identifier: GPL-2.0-only

//! A guest, from the start of QEMU to its exit.

use crate::{
    arch::Arch,
    classify::{End, Outcome, classify},
    cli::{Accel, GuestArgs},
    initramfs::{self, Initramfs},
    kernel::Kernel,
    qemu::{self, Consoles},
    results::{self, ktap::Printed},
    suite::{self, Suite},
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

/// The parts of a guest, ready to boot.
pub(crate) struct Parts {
    pub(crate) kernel: Kernel,
    pub(crate) initramfs: Initramfs,
    /// The directory of the kernel's results, with a directory for each suite.
    pub(crate) results: PathBuf,
    /// The program of the suites, which also runs on the host.
    tests: PathBuf,
    has_module: bool,
}

impl Parts {
    /// Reads the kernel's configuration and creates the initramfs.
    pub(crate) fn make(args: &GuestArgs) -> Result<Self> {
        let kernel = Kernel::new(args)?;
        let results = args.results.join(&kernel.name);
        let initramfs = initramfs::make(&kernel, args, &results)?;
        Ok(Self {
            kernel,
            initramfs,
            results,
            tests: args.host_bin_dir().join("nsproxy-tests"),
            has_module: args.module.is_some(),
        })
    }

    /// Returns the suites that can run in a guest, and those that need the module, which it does not
    /// have.
    ///
    /// # Errors
    ///
    /// A suite does not exist, or `nsproxy-tests` cannot run.
    pub(crate) fn runnable(&self, suites: &[Suite]) -> Result<(Vec<Suite>, Vec<Suite>)> {
        for suite in suites {
            self.cpus_of(suite)?;
        }
        if self.has_module {
            return Ok((suites.to_vec(), Vec::new()));
        }
        let without_module = suite::without_module(&self.tests)?;
        let suites = suites.iter().cloned();
        Ok(suites.partition(|suite| without_module.contains(&suite.name)))
    }

    /// Returns the number of CPUs of the guest of a suite.
    ///
    /// # Errors
    ///
    /// The suite does not exist.
    pub(crate) fn cpus_of(&self, suite: &Suite) -> Result<u32> {
        suite.cpus(&self.tests)
    }
}

/// The configuration of a guest.
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
    /// The directory of its logs.
    pub(crate) dir: PathBuf,
}

impl Guest<'_> {
    /// Boots a guest for `suite`, and waits until it exits. The files of an earlier run in `dir`
    /// are replaced. The output of the suite is passed to `show` as it arrives.
    ///
    /// # Errors
    ///
    /// The host cannot run the guest. A failure of the guest is an outcome, not an error.
    pub(crate) fn run(&self, suite: &Suite, dir: PathBuf, show: impl FnMut(&[u8])) -> Result<Ran> {
        let arguments = self.prepare(suite, &dir)?;
        let running = self.start(&dir, &arguments, |command| {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        })?;
        running.wait(show)
    }

    /// Empties `dir`, and returns QEMU's arguments for a guest that runs `suite` with its files
    /// there.
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
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
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

    /// Starts QEMU with arguments of `prepare()`, which the caller may have extended.
    pub(crate) fn start(
        &self,
        dir: &Path,
        arguments: &[OsString],
        stdio: impl FnOnce(&mut Command),
    ) -> Result<Running> {
        let arch = self.parts.kernel.arch();
        fs::write(dir.join("command"), qemu::as_shell(arch, arguments))?;
        fs::write(dir.join("config"), self.parts.kernel.config())?;
        let begun = Instant::now();
        let errors = File::create(dir.join("qemu.log"))?;
        let child = start(arch, arguments, |command| {
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

/// A running guest.
pub(crate) struct Running {
    pub(crate) child: Child,
    dir: PathBuf,
    begun: Instant,
    timeout: Duration,
    silence: Duration,
}

impl Running {
    /// Waits until the guest exits, or kills it at the time limit.
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
                child.kill().context("cannot kill QEMU")?;
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

/// Starts QEMU. It exits when the thread that started it exits, so that no guest outlives its
/// runner.
///
/// # Errors
///
/// QEMU is not installed, with a hint.
pub(crate) fn start(
    arch: Arch,
    arguments: &[OsString],
    stdio: impl FnOnce(&mut Command),
) -> Result<Child> {
    let mut command = Command::new(arch.qemu());
    command.args(arguments);
    stdio(&mut command);
    sys::exit_with_parent(&mut command);
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "{} is missing; hint: as root, apt-get install {}",
            arch.qemu(),
            arch.qemu_package()
        ),
        _ => anyhow!("cannot start {}: {error}", arch.qemu()),
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

/// Reads a log. Invalid UTF-8 is replaced. A missing log is empty.
pub(crate) fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
