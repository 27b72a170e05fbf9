// SPDX-License-Identifier: GPL-2.0-only

//! The ABI that bindgen generates from `uapi/nsproxy_rs.h`, and copying its structs from and to
//! user space.

use super::{bindings, returned};
use core::mem::MaybeUninit;
use kernel::{
    prelude::*,
    uaccess::{UserPtr, UserSlice},
};

pub(crate) use bindings::{
    nsproxy_explain, nsproxy_ns, nsproxy_setns, nsproxy_show, nsproxy_step, nsproxy_unshare,
    nsproxy_version, NSPROXY_ABI_VERSION, NSPROXY_EXPLAIN_2011, NSPROXY_EXPLAIN_CLONE,
    NSPROXY_EXPLAIN_DRY_RUN, NSPROXY_EXPLAIN_UNSHARE, NSPROXY_JOURNAL_MAX, NSPROXY_LIMIT_UNKNOWN,
    NSPROXY_MEMBER_PID, NSPROXY_MEMBER_USER, NSPROXY_NR_MEMBERS,
    NSPROXY_RS_EXPLAIN as NSPROXY_EXPLAIN, NSPROXY_RS_SERVE as NSPROXY_SERVE,
    NSPROXY_RS_SETNS as NSPROXY_SETNS, NSPROXY_RS_SETNS_2011 as NSPROXY_SETNS_2011,
    NSPROXY_RS_SHOW as NSPROXY_SHOW, NSPROXY_RS_UNSHARE as NSPROXY_UNSHARE,
    NSPROXY_RS_VERSION as NSPROXY_VERSION, NSPROXY_SERVE_OFF, NSPROXY_SERVE_ON,
    NSPROXY_SERVE_QUERY, NSPROXY_STEP_F_ABOUT, NSPROXY_STEP_F_CONSTANT,
};

/// `NSPROXY_REASON_*`.
pub(crate) use bindings::nsproxy_reason as reason;

/// `NSPROXY_STEP_*`.
pub(crate) use bindings::nsproxy_step_id as step;

/// `uname -r` of the kernel that the module is built for.
pub(crate) const RELEASE: &[u8] = bindings::UTS_RELEASE;

/// Returns the positive number of an error, as user space knows it.
pub(crate) fn errno(error: Error) -> u32 {
    // An errno is negative. Unlike `unsigned_abs()`, this is one instruction for `None`, too.
    error.to_errno().wrapping_neg() as u32
}

/// A struct of the ABI.
///
/// # Safety
///
/// Any bytes must be a valid value of the type. A value must have no padding, so that copying it to
/// user space does not leak kernel memory.
pub(crate) unsafe trait Abi: Sized {
    /// The size of the first version, in bytes.
    const FIRST: usize;

    /// Reads the struct from user space, where its size is `usize` bytes.
    ///
    /// # Errors
    ///
    /// [`EFAULT`]; [`E2BIG`] if the struct in user space is longer and sets members that are
    /// unknown here.
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
        // SAFETY: On success every byte was written. By the trait any bytes are a valid value.
        Ok(unsafe { value.assume_init() })
    }

    /// Writes the struct to user space, where its size is `usize` bytes.
    ///
    /// # Errors
    ///
    /// [`EFAULT`].
    #[doc(alias = "copy_struct_to_user")]
    fn write(&self, to: UserPtr, usize: usize) -> Result {
        // SAFETY: `self` is readable. By the trait it has no padding, so all bytes are initialised.
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

const U32: usize = size_of::<u32>();
const U64: usize = size_of::<u64>();

macro_rules! abi {
    ($($name:ident: $size:expr, first version: $first:expr;)*) => { $(
        // SAFETY: All members are integers or arrays of them, for which any bytes are valid. The
        // assertion below shows that there is no padding between them.
        unsafe impl Abi for $name {
            const FIRST: usize = $first as usize;
        }
        const _: () = assert!(size_of::<$name>() == $size);
    )* };
}

abi! {
    nsproxy_setns: 2 * U32, first version: size_of::<Self>();
    nsproxy_version: 4 * U32 + bindings::NSPROXY_RELEASE_LEN as usize,
        first version: bindings::NSPROXY_VERSION_SIZE_VER0;
    nsproxy_unshare: U64, first version: size_of::<Self>();
    nsproxy_explain: 12 * U32 + 3 * U64, first version: bindings::NSPROXY_EXPLAIN_SIZE_VER0;
    nsproxy_show: 4 * U32 + NSPROXY_NR_MEMBERS as usize * (6 * U32 + 3 * U64),
        first version: bindings::NSPROXY_SHOW_SIZE_VER0;
}

/// A struct that does not grow, and that user space copies with one access.
pub(crate) trait AbiWord: Abi {
    /// Reads the struct from user space with one access.
    ///
    /// # Errors
    ///
    /// [`EFAULT`].
    #[doc(alias = "get_user")]
    #[inline(always)]
    fn get(from: UserPtr) -> Result<Self> {
        let mut value = MaybeUninit::<Self>::uninit();
        const { assert!(size_of::<Self>() == size_of::<u64>()) };
        // SAFETY: The function checks the user address. `value` has room for a word.
        returned(unsafe {
            bindings::nsproxy_rs_get_user_u64(value.as_mut_ptr().cast(), from.as_const_ptr().cast())
        })?;
        // SAFETY: On success every byte was written. By the trait any bytes are a valid value.
        Ok(unsafe { value.assume_init() })
    }
}

impl AbiWord for nsproxy_setns {}
impl AbiWord for nsproxy_unshare {}

/// Writes the lines of a journal to user space.
///
/// # Errors
///
/// [`EFAULT`].
pub(crate) fn write_steps(steps: &[nsproxy_step], to: UserPtr) -> Result {
    const { assert!(size_of::<nsproxy_step>() == 2 * U64 + 12 * U32) };
    let bytes = size_of_val(steps);
    // SAFETY: All members are integers or arrays of them. The assertion above shows that there is
    // no padding between them, so all bytes are initialised.
    let steps = unsafe { core::slice::from_raw_parts(steps.as_ptr().cast(), bytes) };
    UserSlice::new(to, bytes).writer().write_slice(steps)
}

/// Checks that `count` steps can be written to `to`, without changing the memory there.
///
/// # Errors
///
/// [`EFAULT`]: the memory is not mapped, or not writable.
#[doc(alias = "fault_in_writeable")]
pub(crate) fn expect_steps(count: usize, to: UserPtr) -> Result {
    let bytes = count * size_of::<nsproxy_step>();
    // SAFETY: The function checks the user address.
    if count == 0 || unsafe { bindings::nsproxy_rs_can_write(to.as_mut_ptr().cast(), bytes) } {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
