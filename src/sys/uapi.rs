// SPDX-License-Identifier: GPL-2.0-only

//! The ABI as bindgen reads it from `uapi/nsproxy_rs.h`, and how its structs cross the border.

use super::bindings;
use core::mem::MaybeUninit;
use kernel::{error::to_result, prelude::*, uaccess::UserPtr};

pub(crate) use bindings::{
    nsproxy_explain, nsproxy_setns, nsproxy_version, NSPROXY_ABI_VERSION, NSPROXY_EXPLAIN_2011,
    NSPROXY_EXPLAIN_DRY_RUN, NSPROXY_IOC_MAGIC, NSPROXY_RS_EXPLAIN as NSPROXY_EXPLAIN,
    NSPROXY_RS_SERVE as NSPROXY_SERVE, NSPROXY_RS_SETNS as NSPROXY_SETNS,
    NSPROXY_RS_SETNS_2011 as NSPROXY_SETNS_2011, NSPROXY_RS_VERSION as NSPROXY_VERSION,
    NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY,
};

/// `NSPROXY_REASON_*`.
pub(crate) mod reason {
    pub(crate) use super::bindings::{
        NSPROXY_REASON_ANONYMOUS, NSPROXY_REASON_BADF, NSPROXY_REASON_CAP_INIT,
        NSPROXY_REASON_CAP_OWNER, NSPROXY_REASON_CAP_SET, NSPROXY_REASON_CAP_USER,
        NSPROXY_REASON_CHROOT, NSPROXY_REASON_EXITING, NSPROXY_REASON_FS_SHARED,
        NSPROXY_REASON_MM_SHARED, NSPROXY_REASON_NEITHER, NSPROXY_REASON_NOT_BELOW,
        NSPROXY_REASON_NO_CRED, NSPROXY_REASON_NO_FLAGS, NSPROXY_REASON_NO_FS,
        NSPROXY_REASON_NO_NS, NSPROXY_REASON_NO_NSPROXY, NSPROXY_REASON_NO_PID_NS,
        NSPROXY_REASON_NSTYPE, NSPROXY_REASON_PTRACE, NSPROXY_REASON_REAPED, NSPROXY_REASON_ROOT,
        NSPROXY_REASON_SAME_USER, NSPROXY_REASON_THREADS, NSPROXY_REASON_UCOUNTS,
        NSPROXY_REASON_UNEXPLAINED, NSPROXY_REASON_UNKNOWN_FLAGS, NSPROXY_REASON_UNSUPPORTED,
    };
}

/// `uname -r` of the kernel that the module is built for.
pub(crate) const RELEASE: &[u8] = bindings::UTS_RELEASE;

/// A struct of the ABI.
///
/// # Safety
///
/// Any bytes must be a valid value of the type, and a value must have no padding, so that it
/// can be shown to user space whole.
pub(crate) unsafe trait Abi: Sized {
    /// Reads the struct from user space, which calls it `usize` bytes long.
    ///
    /// # Errors
    ///
    /// [`EFAULT`]; [`E2BIG`] when user space has a longer struct and sets what is unknown here.
    #[doc(alias = "copy_struct_from_user")]
    fn read(from: UserPtr, usize: usize) -> Result<Self> {
        let mut value = MaybeUninit::<Self>::uninit();
        // SAFETY: `value` has room for `size_of::<Self>()` bytes.
        to_result(unsafe {
            bindings::nsproxy_rs_copy_struct_from_user(
                value.as_mut_ptr().cast(),
                size_of::<Self>(),
                from.as_const_ptr(),
                usize,
            )
        })?;
        // SAFETY: On success every byte was written, and any bytes are a value by the trait.
        Ok(unsafe { value.assume_init() })
    }

    /// Writes the struct to user space, which calls it `usize` bytes long.
    ///
    /// # Errors
    ///
    /// [`EFAULT`].
    #[doc(alias = "copy_struct_to_user")]
    fn write(&self, to: UserPtr, usize: usize) -> Result {
        // SAFETY: `self` is readable and, by the trait, all bytes of it are initialised.
        to_result(unsafe {
            bindings::nsproxy_rs_copy_struct_to_user(
                to.as_mut_ptr(),
                usize,
                core::ptr::from_ref(self).cast(),
                size_of::<Self>(),
            )
        })
    }
}

macro_rules! abi {
    ($($name:ident: $size:expr),* $(,)?) => { $(
        // SAFETY: Integers and arrays of integers; the size says that there is no padding.
        unsafe impl Abi for $name {}
        const _: () = assert!(size_of::<$name>() == $size);
    )* };
}

abi! {
    nsproxy_setns: 4 + 4,
    nsproxy_version: 4 + 4 + 4 + 4 + 72,
    nsproxy_explain: 8 * 4 + 2 * 8,
}
