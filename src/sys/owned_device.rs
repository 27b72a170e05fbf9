// SPDX-License-Identifier: GPL-2.0-only

//! A misc device that belongs to the module, where the kernel crate's belongs to nobody: before 7.3
//! a module can be unloaded while its device is open.

use core::marker::PhantomData;
use kernel::{
    bindings::{__this_module, file_operations, misc_deregister, misc_register, miscdevice},
    error::to_result,
    miscdevice::{MiscDevice, MiscDeviceOptions},
    prelude::*,
    types::Opaque,
};

/// [`MiscDeviceRegistration`], but for whom the device belongs to.
///
/// # Invariants
///
/// The device is registered, and its operations are [`Self::OPERATIONS`].
///
/// [`MiscDeviceRegistration`]: kernel::miscdevice::MiscDeviceRegistration
#[repr(transparent)]
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: MiscDevice> {
    // What the crate's operations take for their registration begins, and ends, with this.
    #[pin]
    device: Opaque<miscdevice>,
    _device: PhantomData<T>,
}

// SAFETY: Any thread may deregister what another one registered.
unsafe impl<T: MiscDevice> Send for Registration<T> {}
// SAFETY: There is nothing to be done with a shared reference.
unsafe impl<T: MiscDevice> Sync for Registration<T> {}

impl<T: MiscDevice> Registration<T> {
    /// The crate's, and whose they are.
    const OPERATIONS: &'static file_operations = &file_operations {
        owner: (&raw const __this_module).cast_mut(),
        // SAFETY: A constant of the crate's.
        ..unsafe { *MiscDeviceOptions { name: c"" }.into_raw::<T>().fops }
    };

    /// Makes the device, for as long as this lives.
    #[doc(alias = "misc_register")]
    pub(super) fn register(options: MiscDeviceOptions) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- Opaque::try_ffi_init(move |slot: *mut miscdevice| {
                let device = miscdevice {
                    fops: Self::OPERATIONS,
                    ..options.into_raw::<T>()
                };
                // SAFETY: The slot is there to be written to, and stays where it is until it was
                // deregistered, see `drop()`.
                unsafe { slot.write(device) };
                // SAFETY: As above.
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
        // SAFETY: Registered, by the type's invariants.
        unsafe { misc_deregister(self.device.get()) };
    }
}
