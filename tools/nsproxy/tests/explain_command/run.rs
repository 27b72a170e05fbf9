// SPDX-License-Identifier: GPL-2.0-only

//! Runs the tool as a user, with a time limit.

use crate::{TIMEOUT, programs};
use anyhow::{Context as _, Result, ensure};
use rustix::{
    fs::StatVfsMountFlags,
    process::{Pid, Signal, geteuid, kill_process},
};
use std::{
    env, fmt, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The uid and gid of the user without privileges.
const NOBODY: &str = "65534";

/// A user who runs the tool, with a directory of programs that the user may execute.
#[derive(Clone)]
pub(crate) struct User {
    is_root: bool,
    /// `true` if root becomes another user.
    changes: bool,
    directory: Arc<Directory>,
}

/// A temporary directory.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left is in a directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program to be traced.
pub(crate) struct Program {
    words: Vec<String>,
    /// The name in [`programs`].
    own: Option<&'static str>,
}

impl Program {
    pub(crate) fn words(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            own: None,
        }
    }

    /// One of [`programs`].
    pub(crate) fn own(name: &'static str) -> Self {
        Self {
            words: Vec::new(),
            own: Some(name),
        }
    }
}

/// A finished run.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// As a shell reports it.
    pub(crate) status: i32,
    /// The time until the tool exited.
    pub(crate) time: Duration,
}

/// Returns a number that is different each time.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Finds a program in the directories of `PATH`.
fn find(program: &Path) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = env::split_paths(&path).map(|directory| directory.join(program));
    paths.into_iter().find(|path| path.is_file())
}

/// Returns whether a program is in a directory of `PATH`.
pub(crate) fn is_installed(program: &Path) -> bool {
    find(program).is_some()
}

/// Returns whether a program has another user than the current one if it is not traced.
pub(crate) fn is_set_user_id(program: &str) -> bool {
    const MODE: u32 = 0o4000;
    let Some(path) = find(program.as_ref()) else {
        return false;
    };
    let has_mode = fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & MODE != 0);
    let flags = rustix::fs::statvfs(&path).map(|found| found.f_flag);
    let is_honored = flags.is_ok_and(|flags| !flags.contains(StatVfsMountFlags::NOSUID));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_mode && is_honored && status.contains("NoNewPrivs:\t0\n")
}

/// Returns whether this process ignores a signal, and its children with it.
pub(crate) fn is_ignored(signal: Signal) -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.context("no SigIgn")?.trim(), 16)?;
    Ok(ignored >> (signal.as_raw() - 1) & 1 != 0)
}

impl User {
    /// Returns the current user, and for root the user without privileges as well.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let directory = format!("nsproxy-explain-{}", std::process::id());
        let directory = Directory(env::temp_dir().join(directory));
        fs::create_dir(&directory.0)?;
        // The user creates files in it.
        fs::set_permissions(&directory.0, PermissionsExt::from_mode(0o1777))?;
        for (from, to) in [
            (env!("CARGO_BIN_EXE_nsproxy").into(), "nsproxy"),
            (env::current_exe()?, "traced"),
        ] {
            let to = directory.0.join(to);
            fs::copy(&from, &to).with_context(|| format!("{}", from.display()))?;
            fs::set_permissions(to, PermissionsExt::from_mode(0o755))?;
        }
        let is_root = geteuid().is_root();
        let current = Self {
            is_root,
            changes: false,
            directory: Arc::new(directory),
        };
        let mut users = vec![current.clone()];
        if is_root && is_installed(Path::new("setpriv")) {
            users.push(Self {
                is_root: false,
                changes: true,
                ..current
            });
        }
        Ok(users)
    }

    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }

    /// Returns whether the tests that create user namespaces can run.
    pub(crate) fn may_create_user_ns(&self) -> bool {
        let mut command = self.command("unshare".as_ref());
        command.args(["-U", "true"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Returns the path of a file that the user may create.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.0.join(format!("{name}-{self}"))
    }

    fn command(&self, program: &Path) -> Command {
        if !self.changes {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
            .arg(program);
        command
    }

    /// Starts the tool with a program.
    pub(crate) fn start(&self, options: &[&str], program: &Program) -> Result<Running> {
        let mut command = self.command(&self.directory.0.join("nsproxy"));
        command.arg("explain").args(options).arg("--");
        match program.own {
            Some(name) => command
                .env(programs::VARIABLE, name)
                .arg(self.directory.0.join("traced")),
            None => command.args(&program.words),
        };
        let stderr = self.file(&format!("stderr-{}", next()));
        let mut child = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&stderr)?)
            .spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        Ok(Running {
            child,
            stdout: BufReader::new(stdout),
            read: String::new(),
            stderr,
            begun: Instant::now(),
        })
    }

    /// Runs the tool with a program.
    pub(crate) fn explain(&self, options: &[&str], program: &Program) -> Result<Output> {
        self.start(options, program)?.finish()
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_root {
            true => "root",
            false => "user",
        })
    }
}

/// A tool that runs.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The output that was read.
    read: String,
    stderr: PathBuf,
    begun: Instant,
}

impl Running {
    /// Waits until the program has written a line with a text. Returns the line.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            let size = self.stdout.read_line(&mut line)?;
            self.read.push_str(&line);
            ensure!(size > 0, "no line with {text:?}: {:?}", self.read);
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// Waits until the parent of a process has exited: init or a subreaper has adopted the process.
    pub(crate) fn wait_for_adoption(&self, process: u32, parent: &str) -> Result<()> {
        let status = format!("/proc/{process}/status");
        while fs::read_to_string(&status)?.contains(&format!("PPid:\t{parent}\n")) {
            self.check_time()?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Sends a signal to the tool only.
    pub(crate) fn kill(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for the tool, and then for the end of its output.
    pub(crate) fn finish(mut self) -> Result<Output> {
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(5)),
            }
            if let Err(error) = self.check_time() {
                // The program is killed as well.
                self.child.kill()?;
                return Err(error);
            }
        };
        let time = self.begun.elapsed();
        self.stdout.read_to_string(&mut self.read)?;
        Ok(Output {
            stdout: self.read,
            stderr: fs::read_to_string(&self.stderr)?,
            status: number(status),
            time,
        })
    }

    fn check_time(&self) -> Result<()> {
        let text = || fs::read_to_string(&self.stderr).unwrap_or_default();
        ensure!(self.begun.elapsed() < TIMEOUT, "timeout: {}", text());
        Ok(())
    }
}

/// Returns the exit status as a shell does.
fn number(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(-1)
}
