// SPDX-License-Identifier: GPL-2.0-only

//! Loading and unloading the module under test.

use crate::{
    case::implementation::{Device, Entry},
    report::ktap::Skip,
};
use anyhow::{Context as _, Result, ensure};
use rustix::io::Errno;
use std::{
    env,
    ffi::CStr,
    fs::File,
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long to wait until the module is not in use.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The default path of the module in the guest. `NSPROXY_MODULE` overrides it.
const FILE: &str = "/lib/nsproxy_rs.ko";
const NAME: &CStr = c"nsproxy_rs";

/// Why a suite or a test of the module is skipped in a guest without it.
pub(crate) const NOT_LOADED: &str = "module not loaded: the kernel cannot load it";

/// Whether the guest has the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Module {
    /// Cases compare the module with the kernel.
    #[default]
    Loaded,
    /// The kernel cannot load it. Cases check the kernel's system calls, and the explanations from
    /// user space, against their expectations.
    Missing,
}

impl Module {
    /// Probes this guest.
    ///
    /// # Errors
    ///
    /// The guest has the file of the module, and the module is not loaded.
    pub(crate) fn find() -> Result<Self> {
        if Path::new(Device::PATH).exists() {
            return Ok(Self::Loaded);
        }
        let file = file();
        ensure!(
            !file.exists(),
            "{} does not exist; hint: insmod {}",
            Device::PATH,
            file.display()
        );
        Ok(Self::Missing)
    }

    /// Returns whether the guest has the entry.
    pub(crate) fn has(self, entry: Entry) -> bool {
        self == Self::Loaded || entry == Entry::Syscall
    }

    /// Skips the test that calls this if the guest does not have the entry.
    pub(crate) fn require(self, entry: Entry) -> Result<()> {
        match self.has(entry) {
            true => Ok(()),
            false => self.require_loaded(),
        }
    }

    /// Skips the test that calls this in a guest without the module.
    pub(crate) fn require_loaded(self) -> Result<()> {
        match self {
            Self::Loaded => Ok(()),
            Self::Missing => Err(Skip::because(NOT_LOADED)),
        }
    }
}

/// Returns the path of the module in the guest.
fn file() -> PathBuf {
    env::var_os("NSPROXY_MODULE").map_or_else(|| FILE.into(), PathBuf::from)
}

/// Loads the module, with parameters as on the command line of insmod.
pub(crate) fn load(parameters: &CStr) -> Result<Result<(), Errno>> {
    let path = file();
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    Ok(rustix::system::finit_module(&file, parameters, 0))
}

/// Unloads the module.
pub(crate) fn unload() -> Result<(), Errno> {
    rustix::system::delete_module(NAME, libc::O_NONBLOCK)
}

/// Unloads the module as soon as it is not in use: the kernel releases files in the background.
pub(crate) fn unload_soon() -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match unload() {
            Err(Errno::AGAIN) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result.context("delete_module"),
        }
    }
}

/// Returns whether the module is loaded.
pub(crate) fn is_loaded() -> io::Result<bool> {
    std::fs::exists("/sys/module/nsproxy_rs/initstate")
}

/// Loads the module without parameters, unless it is loaded.
pub(crate) fn make_sure_it_is_loaded() -> Result<()> {
    if !is_loaded()? {
        load(c"")?.context("cannot load the module")?;
    }
    Ok(())
}
