// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `make shell`: input from a terminal or a pipe arrives, files leave the guest, and the
//! user can leave.

use crate::runner;
use anyhow::{Context as _, Result, ensure};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};
use std::{
    fs::{self, File},
    io::{Read, Write as _},
    path::Path,
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// The time limit of a guest on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that input arrives which is sent before the guest is up, and that its end ends the guest.
/// The guest has the files that programs expect: named users, and the standard streams.
pub(crate) fn pipe(results: &str) -> Result<()> {
    let text = b"nsproxy version; id student; echo $((6 * 7000)) >/dev/stdout\n";
    let said = typed(results, text, drop)?;
    for words in ["module  ABI ", "uid=1000(student)", "42000"] {
        ensure!(said.contains(words), "no {words:?} in\n{said}");
    }
    Ok(())
}

/// Checks that `poweroff` ends the guest from a nested shell, although the input is still open. The
/// prompt of that shell names its namespaces.
pub(crate) fn poweroff(results: &str) -> Result<()> {
    let mut input = None;
    let text = b"unshare -n unshare -u sh\npoweroff\n";
    let said = typed(results, text, |stdin| input = Some(stdin))?;
    ensure!(said.contains("\n~ # ") || said.contains("\r~ # "), "{said}");
    ensure!(said.contains("[net uts] ~ # "), "{said}");
    Ok(())
}

/// Checks that `save` replaces a file on the host, and that the runner names the file in the end.
pub(crate) fn save(results: &str) -> Result<()> {
    let dir = Path::new(results).join("saved");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("a"), "old")?;
    let text = b"seq 20000 >a; save a; save b; echo status $?\n";
    let said = typed(results, text, drop)?;
    let path = dir.canonicalize()?.join("a").display().to_string();
    for words in [path.as_str(), "save: b: no such file", "status 1"] {
        ensure!(said.contains(words), "no {words:?} in\n{said}");
    }
    let saved = fs::read_to_string(&path)?;
    let expected: String = (1..=20000).map(|n| format!("{n}\n")).collect();
    ensure!(saved == expected, "{path} has {} bytes", saved.len());
    Ok(())
}

/// Checks that a command has the exit status and the output of the guest.
pub(crate) fn command(results: &str) -> Result<()> {
    let output = runner("shell", results)?
        .args(["--command", "echo 'a  b' >c; cat c; save c; exit 7"])
        .args(["--save-dir", results])
        .stdin(Stdio::null())
        .output()
        .context("cannot start the runner")?;
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.code() == Some(7),
        "{}: {errors}",
        output.status
    );
    ensure!(said.starts_with("a  b\n/"), "{said:?}");
    let saved = Path::new(results).canonicalize()?.join("c");
    let words = format!("saved on the host: {}\n", saved.display());
    ensure!(errors.ends_with(&words), "{errors}");
    ensure!(fs::read_to_string(saved)? == "a  b\n");
    Ok(())
}

/// Returns the output of a shell whose input is a pipe. `then` gets the writing end.
fn typed(results: &str, text: &[u8], then: impl FnOnce(ChildStdin)) -> Result<String> {
    let saved = Path::new(results).join("saved");
    let mut child = runner("shell", results)?
        .arg("--save-dir")
        .arg(saved)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runner")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(text)?;
    then(stdin);
    let stdout = child.stdout.take().context("no standard output")?;
    let mut said = Said::new(stdout);
    let status = said.until_end(&mut child)?;
    ensure!(status.success(), "{status}:\n{}", said.text);
    Ok(said.text)
}

/// Checks that Ctrl-C goes to the guest, that Ctrl-A X ends it, and that the terminal is restored.
/// The guest follows the size of the terminal.
pub(crate) fn terminal(results: &str) -> Result<()> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().context("a terminal's name")?)?;
    let mut master = File::from(master);
    let before = format!("{:?}", tcgetattr(&slave)?);
    tcsetwinsize(&slave, size(33, 111))?;

    let mut child = runner("shell", results)?
        .args(["--save-dir", results])
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runner")?;
    let mut said = Said::new(master.try_clone()?);
    said.until("# ", &mut child)?;
    // The job prints, not the interactive shell: that could still be about to start `sleep`, which
    // would then miss the signal.
    master.write_all(b"sh -c 'echo $((11 * 1000)); exec sleep 1000'\n")?;
    said.until("11000", &mut child)?;
    master.write_all(b"\x03")?;
    master.write_all(b"echo $((22 * 1000))\n")?;
    said.until("22000", &mut child)?;
    master.write_all(
        b"until [ \"$(stty size)\" = '33 111' ]; do sleep 0.1; done; echo $((33 * 1000))\n",
    )?;
    said.until("33000", &mut child)?;
    tcsetwinsize(&slave, size(44, 122))?;
    master.write_all(
        b"until [ \"$(stty size)\" = '44 122' ]; do sleep 0.1; done; echo $((44 * 1000))\n",
    )?;
    said.until("44000", &mut child)?;
    ensure!(
        format!("{:?}", tcgetattr(&slave)?) != before,
        "the terminal is not in raw mode"
    );
    master.write_all(b"\x01x")?;
    let status = said.until_end(&mut child)?;
    ensure!(status.success(), "{status}");
    let after = format!("{:?}", tcgetattr(&slave)?);
    ensure!(
        after == before,
        "the terminal was {before} and is now {after}"
    );
    Ok(())
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The output of a program, as it arrives.
struct Said {
    text: String,
    more: Receiver<Vec<u8>>,
    deadline: Instant,
}

impl Said {
    fn new(mut from: impl Read + Send + 'static) -> Self {
        let (sender, more) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = from.read(&mut buffer)
                && sender.send(buffer[..n].to_vec()).is_ok()
            {}
        });
        Self {
            text: String::new(),
            more,
            deadline: Instant::now() + PATIENCE,
        }
    }

    fn listen(&mut self, child: &mut Child) -> Result<()> {
        if let Ok(bytes) = self.more.recv_timeout(Duration::from_millis(50)) {
            self.text += &String::from_utf8_lossy(&bytes);
        }
        if Instant::now() > self.deadline {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("nothing more after {PATIENCE:?}:\n{}", self.text);
        }
        Ok(())
    }

    /// Waits until the program has printed `words`.
    fn until(&mut self, words: &str, child: &mut Child) -> Result<()> {
        while !self.text.contains(words) {
            self.listen(child)?;
        }
        Ok(())
    }

    /// Waits until the program has exited.
    fn until_end(&mut self, child: &mut Child) -> Result<ExitStatus> {
        loop {
            self.listen(child)?;
            if let Some(status) = child.try_wait()? {
                while let Ok(bytes) = self.more.recv_timeout(Duration::from_millis(50)) {
                    self.text += &String::from_utf8_lossy(&bytes);
                }
                return Ok(status);
            }
        }
    }
}
