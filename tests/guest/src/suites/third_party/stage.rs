// SPDX-License-Identifier: GPL-2.0-only

//! What the guest must be like for programs of others.

use crate::{
    gate, module, sys,
    via::{self, Device},
};
use anyhow::{Context as _, Result};
use std::{fs, os::unix::fs::PermissionsExt};

/// The device as those programs need it: it serves callers under a seccomp filter, which these
/// are (see [`super::side`]), and any user may open it, as anybody may call setns(2). As it was
/// before when dropped.
pub(crate) struct Stage {
    /// How many namespaces were in use when it was set.
    namespaces: usize,
}

impl Stage {
    /// Loads the module anew.
    ///
    /// # Errors
    ///
    /// When it is in use.
    pub(crate) fn set() -> Result<Self> {
        module::unload_soon().context("is /dev/nsproxy open elsewhere?")?;
        module::load(c"allow_seccomp=1")?.context("finit_module")?;
        let namespaces = in_use()?;
        let stage = Self { namespaces };
        stage.permit(0o666)?;
        Ok(stage)
    }

    /// Does something while only root may open the device, as it is by default.
    pub(crate) fn close<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        self.permit(0o600)?;
        let result = f();
        self.permit(0o666)?;
        result
    }

    /// Waits until no more namespaces are in use than when it was set: the kernel is not done at
    /// once with those of who is gone, and there are programs that count them before and after.
    pub(crate) fn wait_until_still(&self) -> Result<()> {
        gate::patiently(in_use, |count| *count <= self.namespaces)?;
        Ok(())
    }

    fn permit(&self, mode: u32) -> Result<()> {
        fs::set_permissions(Device::PATH, PermissionsExt::from_mode(mode)).context(Device::PATH)
    }
}

fn in_use() -> Result<usize> {
    Ok(sys::listns(via::all_kinds()).context("listns(2)")?.len())
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whoever wants the module next says what is wrong with it.
        let _ = module::unload_soon();
        let _ = module::load(c"");
    }
}
