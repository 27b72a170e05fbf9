// SPDX-License-Identifier: GPL-2.0-only

//! The ABI as bindgen reads it from `uapi/nsproxy_rs.h`, and how its structs cross the border.

use super::bindings;
use core::mem::MaybeUninit;
use kernel::{error::to_result, prelude::*, uaccess::UserPtr};

pub(crate) use bindings::{
    nsproxy_setns, nsproxy_version, NSPROXY_ABI_VERSION, NSPROXY_IOC_MAGIC,
    NSPROXY_RS_SERVE as NSPROXY_SERVE, NSPROXY_RS_SETNS as NSPROXY_SETNS,
    NSPROXY_RS_SETNS_2011 as NSPROXY_SETNS_2011, NSPROXY_RS_VERSION as NSPROXY_VERSION,
    NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY,
};

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
}
