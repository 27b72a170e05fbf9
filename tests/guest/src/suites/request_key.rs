// SPDX-License-Identifier: GPL-2.0-only

//! The authority to instantiate a key ends when the caller enters a user namespace.
//!
//! For a key that does not exist, the kernel executes `/sbin/request-key`, which may assume the
//! authority over that key. The tests install a script there that starts [`upcall`].

use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{Entry, Kind},
        target::{Target, TargetProcess},
    },
    errno::{Code, expect},
    process::{setup::Setup, workers::run_in_child},
    report::ktap::Skip,
    sys,
};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use std::{
    env,
    ffi::{CString, OsString},
    fs::{self, File, Permissions},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::Path,
    process::ExitCode,
};

const SCRIPT: &str = "/sbin/request-key";
/// The result of [`upcall`].
const RESULT: &str = "/run/request-key";
/// So many leaked keys are noticed after the suite.
const TIMES: u32 = 3;

/// Checks that a caller has the authority before it enters a user namespace, and not afterwards.
pub(super) fn authority_ends(entry: Entry, _: &mut Fixtures) -> Result<()> {
    if !Path::new("/proc/sys/kernel/keys").exists() {
        return Err(Skip::because("needs CONFIG_KEYS"));
    }
    check(None).context("a caller that stays")?;
    (0..TIMES).try_for_each(|_| check(Some(entry)))
}

/// Checks whether a caller that has entered a user namespace can instantiate a key.
fn check(entry: Option<Entry>) -> Result<()> {
    let user = Kind::User.flag();
    let target = TargetProcess::start(&Target::new([Setup::Unshare(user)]))?;
    if let Some(directory) = Path::new(SCRIPT).parent() {
        fs::create_dir_all(directory)?;
    }
    let word = entry.map_or("none", word);
    // The PATH that the kernel sets need not have this program.
    let program = env::current_exe()?;
    let script = format!(
        "#!/bin/sh\nexec {} request-key \"$2\" {word} {}\n",
        program.display(),
        target.pid
    );
    fs::write(SCRIPT, script).context(SCRIPT)?;
    fs::set_permissions(SCRIPT, Permissions::from_mode(0o755))?;
    let requested = run_in_child(|| {
        // Fails if the key is not instantiated, as it should. The result is in the file.
        let description = CString::new(format!("nsproxy_rs:{}", std::process::id()))?;
        let _ = sys::request_key(&description, c"callout");
        Ok(())
    });
    fs::remove_file(SCRIPT)?;
    requested?;
    let result = fs::read_to_string(RESULT).context("no upcall")?;
    fs::remove_file(RESULT)?;
    let instantiated = match result.as_str() {
        "instantiated" => Ok(()),
        "EPERM" => Err(Code::EPERM),
        _ => bail!(result),
    };
    let expected = entry.map_or(Ok(()), |_| Err(Code::EPERM));
    expect(instantiated, expected)
}

fn word(entry: Entry) -> &'static str {
    match entry {
        Entry::Syscall => "syscall",
        Entry::Served => "served",
        _ => "device",
    }
}

/// `nsproxy-tests request-key KEY ENTRY PID`: assumes the authority over a key, enters the user
/// namespace of a process through an entry, and tries to instantiate the key.
pub(crate) fn upcall(words: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let result = try_upcall(words).unwrap_or_else(|error| format!("{error:#}"));
    fs::write(RESULT, result)?;
    Ok(ExitCode::SUCCESS)
}

fn try_upcall(words: impl Iterator<Item = OsString>) -> Result<String> {
    let words: Vec<_> = words.filter_map(|word| word.into_string().ok()).collect();
    let [key, entry, pid] = words.as_slice() else {
        bail!("request-key KEY ENTRY PID");
    };
    let key = key.parse()?;
    sys::assume_authority(key).context("KEYCTL_ASSUME_AUTHORITY")?;
    let known = [Entry::Syscall, Entry::Device, Entry::Served];
    if let Some(known) = known.into_iter().find(|known| word(*known) == entry) {
        let file = File::open(format!("/proc/{pid}/ns/user"))?;
        let device = known.open_device()?;
        let entered = known.setns(device.as_ref(), file.as_raw_fd(), 0)?;
        ensure!(entered.is_ok(), "cannot enter: {entered:?}");
    }
    Ok(match sys::instantiate(key) {
        Ok(()) => "instantiated".to_owned(),
        Err(Errno::PERM) => "EPERM".to_owned(),
        Err(errno) => format!("KEYCTL_INSTANTIATE: {errno}"),
    })
}
