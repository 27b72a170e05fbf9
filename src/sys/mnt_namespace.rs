// SPDX-License-Identifier: GPL-2.0-only

//! Members of `struct mnt_namespace`, whose layout is private to `fs/`: see `mnt_namespace.c`.

use super::{
    bindings::{self, layout},
    fs::Path,
    namespace::{Kind, MntNamespace, Owned, UserNamespace},
    returned,
    symbols::Symbols,
};
use kernel::{bindings::path, prelude::*};

/// Determines the offsets of the members. Must be called once, when the module is loaded.
///
/// # Errors
///
/// [`ENOENT`]: the layout is unknown; logged.
pub(super) fn find(_symbols: Symbols) -> Result {
    // SAFETY: The symbols are resolved, and nothing uses the offsets yet.
    returned(unsafe { bindings::nsproxy_rs_mnt_namespace_find() })
        .inspect_err(|_| pr_err!("unknown layout of struct mnt_namespace, not loaded\n"))
}

/// Returns the offset of `ns_common`.
#[inline(always)]
pub(super) fn ns_offset() -> usize {
    // SAFETY: Not written after the module is loaded.
    unsafe { bindings::nsproxy_rs_ns_of_mnt_namespace }
}

impl Owned for MntNamespace {
    fn user_ns(&self) -> &UserNamespace {
        // SAFETY: A mount namespace has an owner.
        unsafe { self.owner().unwrap_unchecked() }
    }
}

impl MntNamespace {
    /// Returns the root directory of the namespace: that of the uppermost mount on its root.
    /// Allocates memory, and may sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`], or another error of `vfs_path_lookup()`.
    #[doc(alias = "vfs_path_lookup")]
    pub(crate) fn lookup_root(&self) -> Result<Path> {
        // SAFETY: The namespace is valid. It owns its root mount, which owns its root dentry.
        let (mnt, dentry) = unsafe {
            let mnt = bindings::nsproxy_rs_mnt_namespace_root(self.as_raw());
            (mnt, (*mnt.cast::<layout::vfsmount>()).mnt_root)
        };
        let mut root = path {
            mnt: core::ptr::null_mut(),
            dentry: core::ptr::null_mut(),
        };
        // SAFETY: All pointers are valid, and the name is a C string.
        returned(unsafe {
            bindings::vfs_path_lookup(
                dentry,
                mnt,
                c"/".as_char_ptr(),
                bindings::NSPROXY_RS_LOOKUP_DOWN,
                &mut root,
            )
        })?;
        // INVARIANT: A successful lookup takes both references.
        Ok(Path(root))
    }
}
