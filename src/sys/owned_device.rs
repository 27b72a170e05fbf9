// SPDX-License-Identifier: GPL-2.0-only

//! A misc device whose open files pin the module.
//!
//! Before Linux 7.3, the kernel crate does not set `file_operations::owner`, so a module can be
//! unloaded while its device is open.

use core::marker::PhantomData;
use kernel::{
    bindings::{__this_module, file_operations, misc_deregister, misc_register, miscdevice},
    error::to_result,
    miscdevice::{MiscDevice, MiscDeviceOptions},
    prelude::*,
    types::Opaque,
};

/// Like [`MiscDeviceRegistration`], but sets `file_operations::owner` to this module.
///
/// # Invariants
///
/// The device is registered with [`Self::OPERATIONS`].
///
/// [`MiscDeviceRegistration`]: kernel::miscdevice::MiscDeviceRegistration
#[repr(transparent)]
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: MiscDevice> {
    // The crate's operations cast this pointer to their own registration, which has only this
    // member.
    #[pin]
    device: Opaque<miscdevice>,
    _device: PhantomData<T>,
}

// SAFETY: Any thread may deregister a device that another thread registered.
unsafe impl<T: MiscDevice> Send for Registration<T> {}
// SAFETY: No method takes a shared reference.
unsafe impl<T: MiscDevice> Sync for Registration<T> {}

impl<T: MiscDevice> Registration<T> {
    /// The operations of the crate, with this module as their owner.
    const OPERATIONS: &'static file_operations = &file_operations {
        owner: (&raw const __this_module).cast_mut(),
        // SAFETY: The pointer is to a constant of the crate.
        ..unsafe { *MiscDeviceOptions { name: c"" }.into_raw::<T>().fops }
    };

    /// Creates the device for as long as the registration lives.
    #[doc(alias = "misc_register")]
    pub(super) fn register(options: MiscDeviceOptions) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- Opaque::try_ffi_init(move |slot: *mut miscdevice| {
                let device = miscdevice {
                    fops: Self::OPERATIONS,
                    ..options.into_raw::<T>()
                };
                // SAFETY: `try_ffi_init()` passes a slot that is valid for writes.
                unsafe { slot.write(device) };
                // SAFETY: The slot was initialised above. It is pinned, so it stays there until
                // `drop()` deregisters the device.
                to_result(unsafe { misc_register(slot) })
            }),
            _device: PhantomData,
        })
    }
}

#[pinned_drop]
impl<T: MiscDevice> PinnedDrop for Registration<T> {
    #[doc(alias = "misc_deregister")]
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type's invariants the device is registered.
        unsafe { misc_deregister(self.device.get()) };
    }
}
