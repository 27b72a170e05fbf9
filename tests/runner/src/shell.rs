// SPDX-License-Identifier: GPL-2.0-only

//! `make shell`: what a person or a pipe types arrives, and there is a way out.

use crate::runner;
use anyhow::{Context as _, Result, ensure};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::tcgetattr,
};
use std::{
    fs::File,
    io::{Read, Write as _},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// What a guest takes to come up and go on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is typed before the guest is up arrives, and the end of the input ends it.
pub(crate) fn pipe(results: &str) -> Result<()> {
    let said = typed(results, b"nsproxy version\n", drop)?;
    ensure!(said.contains("module  ABI "), "{said}");
    Ok(())
}

/// `poweroff` ends it, too, and there may be more to come.
pub(crate) fn poweroff(results: &str) -> Result<()> {
    let mut input = None;
    typed(results, b"poweroff\n", |stdin| input = Some(stdin)).map(drop)
}

/// What a shell says that is typed into by a pipe, of which `then` has the end that is written to.
fn typed(results: &str, text: &[u8], then: impl FnOnce(ChildStdin)) -> Result<String> {
    let mut child = runner("shell", results)?
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

/// Ctrl-C is for the guest, Ctrl-A X leaves it, and the terminal is as before.
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

    let mut child = runner("shell", results)?
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runner")?;
    let mut said = Said::new(master.try_clone()?);
    said.until("# ", &mut child)?;
    master.write_all(b"echo $((11 * 1000)); sleep 1000\n")?;
    said.until("11000", &mut child)?;
    master.write_all(b"\x03")?;
    master.write_all(b"echo $((22 * 1000))\n")?;
    said.until("22000", &mut child)?;
    ensure!(
        format!("{:?}", tcgetattr(&slave)?) != before,
        "keys are not passed on as they are typed"
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

/// What a program printed, as it comes.
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

    /// Waits until it has printed `words`.
    fn until(&mut self, words: &str, child: &mut Child) -> Result<()> {
        while !self.text.contains(words) {
            self.listen(child)?;
        }
        Ok(())
    }

    /// Waits until it has ended.
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
