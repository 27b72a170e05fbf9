// SPDX-License-Identifier: GPL-2.0-only

//! The entry from ioctl(2): a character device with no other operation.

use super::{caller::Caller, redirect::RedirectGuard};
use core::marker::PhantomData;
use kernel::{
    fs::File,
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*,
    uaccess::UserPtr,
};

#[cfg(not(nsproxy_rs_device_has_owner))]
use super::owned_device::Registration as MiscRegistration;
#[cfg(nsproxy_rs_device_has_owner)]
use kernel::miscdevice::MiscDeviceRegistration as MiscRegistration;

/// The implementation of a device.
pub(crate) trait Ioctl: Send + Sync + 'static {
    /// Handles one call in the context of the calling process. `arg` is the user pointer that the
    /// caller passed, and may be invalid. Returns the result of `ioctl(2)`.
    ///
    /// # Errors
    ///
    /// Errors of the command; `ENOTTY` for an unknown `cmd`.
    fn ioctl(caller: &mut Caller<'_>, cmd: u32, arg: UserPtr) -> Result<isize>;
}

/// The type with which the device is registered.
///
/// An open file has no state and carries no rights: the credentials that count are those of the
/// caller. So it may be passed to other processes.
struct Device<T>(PhantomData<T>);

#[vtable]
impl<T: Ioctl> MiscDevice for Device<T> {
    type Ptr = ();

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn ioctl(_device: (), _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let current = kernel::current!();
        // SAFETY: This is the entry of the call, and the only place that creates a `Caller` for it.
        let mut caller = unsafe { Caller::new(current) };
        T::ioctl(&mut caller, cmd, UserPtr::from_addr(arg))
    }
}

/// A registered device. An open file pins the module.
///
/// Fields are dropped in this order: the device first, so that no call can request the redirect
/// after it was removed.
#[pin_data]
pub(crate) struct Registration<T: Ioctl> {
    #[pin]
    device: MiscRegistration<Device<T>>,
    /// Removes the redirect of the system call that an ioctl may have requested.
    redirect: RedirectGuard,
}

impl<T: Ioctl> Registration<T> {
    /// Creates `/dev/<name>` with mode 0600, for as long as the registration lives.
    ///
    /// A call may arrive before this returns. The [`RedirectGuard`] proves that everything that a
    /// call needs is initialised.
    #[doc(alias = "misc_register")]
    pub(crate) fn new(name: &'static CStr, redirect: RedirectGuard) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            redirect,
            device <- MiscRegistration::register(MiscDeviceOptions { name }),
        })
    }
}
