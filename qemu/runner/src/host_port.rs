// SPDX-License-Identifier: GPL-2.0-only

//! The port through which a guest saves files on the host and fetches its command.
//!
//! The guest sends lines: `save NAME`, the content of the file in base64 and a full stop, which the
//! host answers by `ok PATH` or `error WHY`; `command`, which the host answers by a line for the
//! shell; `status N`, the exit status of that line. A transfer that was interrupted ends at the
//! next request, because no request is valid base64.

use crate::cli::file_name;
use anyhow::{Context as _, Result, anyhow, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// The host's end of the port.
pub(crate) struct HostPort {
    /// The directory that files are saved in.
    dir: PathBuf,
    /// The line that the guest's shell runs.
    command: String,
    requests: Requests,
}

/// The requests of a guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// The files that it saved, without duplicates.
    pub(crate) saved: Vec<PathBuf>,
    /// The exit status of its command, if that finished.
    pub(crate) status: Option<u8>,
}

impl HostPort {
    /// Creates `dir` if it does not exist.
    pub(crate) fn new(dir: &Path, command: Option<&str>) -> Result<Self> {
        let cannot = || format!("cannot create {}", dir.display());
        fs::create_dir_all(dir).with_context(cannot)?;
        Ok(Self {
            dir: dir.canonicalize().with_context(cannot)?,
            command: command.unwrap_or_default().to_owned(),
            requests: Requests::default(),
        })
    }

    /// Answers the guest until QEMU exits.
    pub(crate) fn serve(mut self, from: impl Read, mut to: impl Write) -> Requests {
        let mut transfer = None;
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            let reply = match (line.split_once(' '), line.as_str()) {
                (Some(("save", name)), _) => {
                    transfer = Some(Transfer::begin(&self.dir, name));
                    None
                }
                (Some(("status", status)), _) => {
                    self.requests.status = status.parse().ok();
                    None
                }
                (None, "command") => Some(self.command.clone()),
                (None, ".") => transfer.take().map(|transfer| {
                    match transfer.and_then(|transfer| self.end(transfer)) {
                        Ok(path) => format!("ok {}", path.display()),
                        Err(error) => format!("error {error:#}"),
                    }
                }),
                _ => {
                    transfer = transfer.map(|transfer| {
                        let mut transfer = transfer?;
                        transfer.add(&line)?;
                        Ok(transfer)
                    });
                    None
                }
            };
            if let Some(reply) = reply
                && writeln!(to, "{reply}").and_then(|()| to.flush()).is_err()
            {
                break;
            }
        }
        self.requests
    }

    fn end(&mut self, transfer: Transfer) -> Result<PathBuf> {
        let path = transfer.end()?;
        if !self.requests.saved.contains(&path) {
            self.requests.saved.push(path.clone());
        }
        Ok(path)
    }
}

/// A file that the guest is sending.
struct Transfer {
    path: PathBuf,
    /// The file while it is incomplete.
    new: PathBuf,
    file: File,
}

impl Transfer {
    fn begin(dir: &Path, name: &str) -> Result<Self> {
        let name = file_name(name).map_err(|why| anyhow!("file name {name:?}: {why}"))?;
        let path = dir.join(&name);
        ensure!(!path.is_dir(), "{} is a directory", path.display());
        let new = dir.join(format!("{name}.new"));
        let file = File::create(&new).with_context(|| format!("cannot write {}", new.display()))?;
        Ok(Self { path, new, file })
    }

    /// Adds a line in base64.
    fn add(&mut self, line: &str) -> Result<()> {
        let bytes = STANDARD.decode(line).context("damaged in transfer")?;
        let cannot = || format!("cannot write {}", self.new.display());
        self.file.write_all(&bytes).with_context(cannot)
    }

    /// Replaces an older file of that name.
    fn end(self) -> Result<PathBuf> {
        let cannot = || format!("cannot write {}", self.path.display());
        fs::rename(&self.new, &self.path).with_context(cannot)?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the replies to a guest, its requests, and the directory of its files.
    fn serve(test: &str, requests: &str) -> (String, Requests, PathBuf) {
        let dir = std::env::temp_dir().join(format!("nsproxy-host-{test}.{}", std::process::id()));
        let mut replies = Vec::new();
        let port = HostPort::new(&dir, Some("true 'a b'")).unwrap();
        let dir = port.dir.clone();
        let requests = port.serve(requests.as_bytes(), &mut replies);
        (String::from_utf8(replies).unwrap(), requests, dir)
    }

    #[test]
    fn files_are_saved_once_and_replaced() {
        let (replies, requests, dir) =
            serve("save", "\nsave a.txt\nYWJj\nCg==\n.\nsave a.txt\nZGVm\n.\n");
        let path = dir.join("a.txt");
        assert_eq!(replies, format!("ok {0}\nok {0}\n", path.display()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "def");
        assert_eq!(requests.saved, [path]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn an_interrupted_transfer_ends_at_the_next_request() {
        let (replies, requests, dir) = serve("stop", "save a\nYWJj\nYW\nsave b\nZGVm\n.\n");
        assert_eq!(replies, format!("ok {}\n", dir.join("b").display()));
        assert_eq!(fs::read_to_string(dir.join("b")).unwrap(), "def");
        assert_eq!(requests.saved, [dir.join("b")]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn no_file_is_saved_elsewhere() {
        for name in ["../a", "/etc/a", "", "."] {
            let (replies, requests, dir) = serve("name", &format!("save {name}\nYWJj\n.\n"));
            assert!(replies.starts_with("error file name"), "{replies}");
            assert_eq!(requests, Requests::default());
            fs::remove_dir_all(dir).unwrap();
        }
    }

    #[test]
    fn the_guest_fetches_its_command() {
        let (replies, requests, dir) = serve("command", "command\nstatus 3\n");
        assert_eq!(replies, "true 'a b'\n");
        assert_eq!(requests.status, Some(3));
        fs::remove_dir_all(dir).unwrap();
    }
}
