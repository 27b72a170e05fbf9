// SPDX-License-Identifier: GPL-2.0-only

//! The entry into the module: a character device whose only operation is `ioctl(2)`.

use super::{caller::Caller, redirect::Serving};
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

/// What a device does when it is called.
pub(crate) trait Ioctl: Send + Sync + 'static {
    /// Serves one call, in the context of the process that makes it. `arg` is what the caller says
    /// is a pointer. Returns what `ioctl(2)` does.
    ///
    /// # Errors
    ///
    /// The device's own; `ENOTTY` for a `cmd` that is none of its.
    fn ioctl(caller: &mut Caller<'_>, cmd: u32, arg: UserPtr) -> Result<isize>;
}

/// The type that the kernel knows the device by.
///
/// Nothing is kept from opening the device: a file descriptor of it carries no rights, and may
/// be handed around.
struct Device<T>(PhantomData<T>);

#[vtable]
impl<T: Ioctl> MiscDevice for Device<T> {
    type Ptr = ();

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<()> {
        Ok(())
    }

    fn ioctl(_device: (), _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let current = kernel::current!();
        // SAFETY: This is the entry of the call, and the only place that makes one.
        let mut caller = unsafe { Caller::new(current) };
        T::ioctl(&mut caller, cmd, UserPtr::from_addr(arg))
    }
}

/// A registered device. An open file pins the module.
///
/// Dropped from top to bottom.
#[pin_data]
pub(crate) struct Registration<T: Ioctl> {
    #[pin]
    device: MiscRegistration<Device<T>>,
    /// Undoes the redirect of the system call that an ioctl may have requested.
    serving: Serving,
}

impl<T: Ioctl> Registration<T> {
    /// Creates `/dev/<name>`, mode 0600, for as long as the registration lives.
    ///
    /// A call may arrive before this returns. A [`Serving`] proves that everything a call needs is
    /// initialised.
    #[doc(alias = "misc_register")]
    pub(crate) fn new(name: &'static CStr, serving: Serving) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            serving,
            device <- MiscRegistration::register(MiscDeviceOptions { name }),
        })
    }
}
