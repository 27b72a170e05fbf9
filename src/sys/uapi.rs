// SPDX-License-Identifier: GPL-2.0-only

//! The ABI as bindgen reads it from `uapi/nsproxy_rs.h`, and how its structs cross the border.

use super::{bindings, returned};
use core::mem::MaybeUninit;
use kernel::{
    prelude::*,
    uaccess::{UserPtr, UserSlice},
};

pub(crate) use bindings::{
    nsproxy_explain, nsproxy_ns, nsproxy_setns, nsproxy_show, nsproxy_step, nsproxy_version,
    NSPROXY_ABI_VERSION, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_DRY_RUN, NSPROXY_JOURNAL_MAX,
    NSPROXY_MEMBER_PID, NSPROXY_MEMBER_USER, NSPROXY_NR_MEMBERS,
    NSPROXY_RS_EXPLAIN as NSPROXY_EXPLAIN, NSPROXY_RS_SERVE as NSPROXY_SERVE,
    NSPROXY_RS_SETNS as NSPROXY_SETNS, NSPROXY_RS_SETNS_2011 as NSPROXY_SETNS_2011,
    NSPROXY_RS_SHOW as NSPROXY_SHOW, NSPROXY_RS_VERSION as NSPROXY_VERSION, NSPROXY_SERVE_OFF,
    NSPROXY_SERVE_ON, NSPROXY_SERVE_QUERY, NSPROXY_STEP_F_ABOUT, NSPROXY_STEP_F_CONSTANT,
};

/// `NSPROXY_REASON_*`.
pub(crate) use bindings::nsproxy_reason as reason;

/// `NSPROXY_STEP_*`.
pub(crate) use bindings::nsproxy_step_id as step;

/// `uname -r` of the kernel that the module is built for.
pub(crate) const RELEASE: &[u8] = bindings::UTS_RELEASE;

/// Returns the positive number of an error, as user space knows it.
pub(crate) fn errno(error: Error) -> u32 {
    error.to_errno().unsigned_abs()
}

/// A struct of the ABI.
///
/// # Safety
///
/// Any bytes must be a valid value of the type, and a value must have no padding, so that it
/// can be shown to user space whole.
pub(crate) unsafe trait Abi: Sized {
    /// How long its first version was, in bytes.
    const FIRST: usize;

    /// Reads the struct from user space, which calls it `usize` bytes long.
    ///
    /// # Errors
    ///
    /// [`EFAULT`]; [`E2BIG`] when user space has a longer struct and sets what is unknown here.
    #[doc(alias = "copy_struct_from_user")]
    fn read(from: UserPtr, usize: usize) -> Result<Self> {
        let mut value = MaybeUninit::<Self>::uninit();
        // SAFETY: `value` has room for `size_of::<Self>()` bytes.
        returned(unsafe {
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
        returned(unsafe {
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
    ($($name:ident: $size:expr, at first $first:expr;)*) => { $(
        // SAFETY: Integers and arrays of integers; the size says that there is no padding.
        unsafe impl Abi for $name {
            const FIRST: usize = $first as usize;
        }
        const _: () = assert!(size_of::<$name>() == $size);
    )* };
}

abi! {
    nsproxy_setns: 4 + 4, at first 8;
    nsproxy_version: 4 + 4 + 4 + 4 + 72, at first 88;
    nsproxy_explain: 8 * 4 + 2 * 8 + 8 + 2 * 4, at first bindings::NSPROXY_EXPLAIN_SIZE_VER0;
    nsproxy_show: 4 * 4 + 10 * (3 * 8 + 6 * 4), at first 496;
}

impl nsproxy_setns {
    /// Reads the struct, which does not grow, from user space: one access.
    ///
    /// # Errors
    ///
    /// [`EFAULT`].
    #[doc(alias = "get_user")]
    pub(crate) fn get(from: UserPtr) -> Result<Self> {
        let mut value = MaybeUninit::<Self>::uninit();
        const { assert!(size_of::<Self>() == size_of::<u64>()) };
        // SAFETY: Any address may be read from, and `value` has room for a word.
        returned(unsafe {
            bindings::nsproxy_rs_get_user_u64(value.as_mut_ptr().cast(), from.as_const_ptr().cast())
        })?;
        // SAFETY: On success every byte was written, and any bytes are a value by the trait.
        Ok(unsafe { value.assume_init() })
    }
}

/// Writes the lines of a journal to user space.
///
/// # Errors
///
/// [`EFAULT`].
pub(crate) fn write_steps(steps: &[nsproxy_step], to: UserPtr) -> Result {
    const { assert!(size_of::<nsproxy_step>() == 2 * 8 + 12 * 4) };
    let bytes = size_of_val(steps);
    // SAFETY: Integers and arrays of integers, and no padding between them.
    let steps = unsafe { core::slice::from_raw_parts(steps.as_ptr().cast(), bytes) };
    UserSlice::new(to, bytes).writer().write_slice(steps)
}

/// Checks that `count` steps can be written to `to`, without changing what is there.
///
/// # Errors
///
/// [`EFAULT`]: there is no such place, or not to write to.
#[doc(alias = "fault_in_writeable")]
pub(crate) fn expect_steps(count: usize, to: UserPtr) -> Result {
    let bytes = count * size_of::<nsproxy_step>();
    // SAFETY: Any address may be tried.
    if count == 0 || unsafe { bindings::nsproxy_rs_can_write(to.as_mut_ptr().cast(), bytes) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
