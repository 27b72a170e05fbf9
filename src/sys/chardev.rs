// SPDX-License-Identifier: GPL-2.0-only

//! The entry into the module: a character device whose only operation is `ioctl(2)`.

use super::{caller::Caller, symbols::Symbols};
use core::marker::PhantomData;
use kernel::{
    fs::File,
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*,
    uaccess::UserPtr,
};

#[cfg(not(nsproxy_rs_device_has_owner))]
pub(crate) use super::owned::Registration;
/// A device that is there. Who has it open keeps the module loaded.
#[cfg(nsproxy_rs_device_has_owner)]
pub(crate) use kernel::miscdevice::MiscDeviceRegistration as Registration;

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
pub(crate) struct Device<T>(PhantomData<T>);

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

impl<T: Ioctl> Device<T> {
    /// Makes `/dev/<name>`, mode 0600, for as long as the registration lives.
    ///
    /// Wants the symbols resolved: a call may come in before this returns.
    #[doc(alias = "misc_register")]
    pub(crate) fn register(
        name: &'static CStr,
        _symbols: Symbols,
    ) -> impl PinInit<Registration<Self>, Error> {
        Registration::register(MiscDeviceOptions { name })
    }
}
