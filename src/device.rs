// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/nsproxy`: decodes the arguments of an ioctl, makes the call, encodes the result.

use crate::{
    explain::{self, Call},
    serve,
    setns::{self, Mode},
    setns_2011, show,
    sys::{
        caller::Caller,
        chardev::Ioctl,
        create::Flags,
        namespace, params, symbols, trace,
        uapi::{
            expect_steps, nsproxy_explain, nsproxy_setns, nsproxy_show, nsproxy_unshare,
            nsproxy_version, write_steps, Abi, AbiWord, NSPROXY_ABI_VERSION, NSPROXY_EXPLAIN,
            NSPROXY_SERVE, NSPROXY_SETNS, NSPROXY_SETNS_2011, NSPROXY_SHOW, NSPROXY_UNSHARE,
            NSPROXY_VERSION, RELEASE,
        },
    },
    unshare,
};
use kernel::{
    bindings::{_IOC_SIZEMASK, _IOC_SIZESHIFT},
    ioctl::_IOC_SIZE,
    prelude::*,
    uaccess::UserPtr,
};

/// The ioctls of `/dev/nsproxy`. `uapi/nsproxy_rs.h` has the rules for all commands.
pub(crate) struct NsproxyDevice;

/// Clears the size field of an ioctl number, since user space may use another version of the
/// struct.
const fn without_size(cmd: u32) -> u32 {
    cmd & !(_IOC_SIZEMASK << _IOC_SIZESHIFT)
}

impl Ioctl for NsproxyDevice {
    #[inline(always)] // Into the kernel crate's `ioctl()`, the only caller.
    fn ioctl(caller: &mut Caller<'_>, cmd: u32, arg: UserPtr) -> Result<isize> {
        const SETNS: u32 = without_size(NSPROXY_SETNS);
        const SETNS_2011: u32 = without_size(NSPROXY_SETNS_2011);
        const UNSHARE: u32 = without_size(NSPROXY_UNSHARE);
        const EXPLAIN: u32 = without_size(NSPROXY_EXPLAIN);
        const SHOW: u32 = without_size(NSPROXY_SHOW);
        const VERSION: u32 = without_size(NSPROXY_VERSION);
        const SERVE: u32 = without_size(NSPROXY_SERVE);

        match (cmd, without_size(cmd)) {
            (NSPROXY_SETNS, _) => {
                let args = args::<nsproxy_setns>(caller, arg)?;
                let (fd, flags, mode) = (args.fd, args.nstype as u32, Mode::Commit);
                if trace::is_refused_enabled() {
                    explain::traced(caller, Call::Setns { fd, flags, mode })?;
                } else {
                    setns::setns(caller, fd, flags, mode, &mut ())?;
                }
            }
            (NSPROXY_UNSHARE, _) => unshare(caller, arg)?,
            (NSPROXY_SETNS_2011, _) => {
                let args = args::<nsproxy_setns>(caller, arg)?;
                let (fd, nstype, mode) = (args.fd, args.nstype as u32, Mode::Commit);
                if trace::is_refused_enabled() {
                    explain::traced(caller, Call::Setns2011 { fd, nstype, mode })?;
                } else {
                    setns_2011::setns(caller, fd, nstype, mode, &mut ())?;
                }
            }
            // Another size: the struct of these commands does not grow.
            (_, SETNS | SETNS_2011 | UNSHARE) => {
                no_filter(caller)?;
                return Err(EINVAL);
            }
            (_, EXPLAIN) => explain(caller, cmd, arg)?,
            (_, SHOW) => show(caller, cmd, arg)?,
            (_, VERSION) => version(caller, cmd, arg)?,
            (_, SERVE) => {
                if _IOC_SIZE(cmd) != 0 {
                    return Err(EINVAL);
                }
                return serve::serve(caller, arg.as_const_ptr() as usize).map(isize::from);
            }
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }
}

/// Reads the argument of a command that changes namespaces. Its struct does not grow.
///
/// # Errors
///
/// [`EPERM`] under a seccomp filter, which does not see a setns(2) or unshare(2) made by an ioctl.
/// [`EFAULT`].
#[inline(always)]
fn args<T: AbiWord>(caller: &Caller<'_>, arg: UserPtr) -> Result<T> {
    no_filter(caller)?;
    T::get(arg)
}

/// Handles `NSPROXY_UNSHARE`.
///
/// # Errors
///
/// Errors of [`args`] and [`unshare::unshare`].
#[inline(never)] // Keeps this stack frame out of the SETNS path.
fn unshare(caller: &mut Caller<'_>, arg: UserPtr) -> Result {
    let args = args::<nsproxy_unshare>(caller, arg)?;
    let (flags, mode) = (Flags(args.flags), Mode::Commit);
    if trace::is_refused_enabled() {
        explain::traced(caller, Call::Unshare { flags, mode })?;
    } else {
        unshare::unshare(caller, flags, mode, &mut ())?;
    }
    Ok(())
}

/// Checks that the caller is not under a seccomp filter, or that the module serves such callers.
///
/// # Errors
///
/// [`EPERM`].
fn no_filter(caller: &Caller<'_>) -> Result {
    if caller.is_under_seccomp() && !params::allow_seccomp() {
        return Err(EPERM);
    }
    Ok(())
}

/// Reads the argument of a command whose struct grows. Returns it with its size in user space.
///
/// # Errors
///
/// [`EINVAL`] for a struct shorter than its first version, [`E2BIG`], [`EFAULT`].
fn growing<T: Abi>(cmd: u32, arg: UserPtr) -> Result<(T, usize)> {
    let size = _IOC_SIZE(cmd);
    if size < T::FIRST {
        return Err(EINVAL);
    }
    Ok((T::read(arg, size)?, size))
}

/// Handles `NSPROXY_EXPLAIN`.
///
/// # Errors
///
/// [`EPERM`] under a seccomp filter, [`EINVAL`] for a struct shorter than the first version of it
/// or an unknown flag, [`E2BIG`], [`EFAULT`], [`ENOMEM`] for the journal. On an error the call was
/// not made, and nothing was written. The exception is an [`EFAULT`] after the call, if another
/// thread has made the memory unwritable meanwhile. The outcome is written before the journal, so
/// it is complete if only the journal could not be written.
#[inline(never)] // Keeps this stack frame out of the SETNS path.
fn explain(caller: &mut Caller<'_>, cmd: u32, arg: UserPtr) -> Result {
    no_filter(caller)?;
    let (mut args, size) = growing::<nsproxy_explain>(cmd, arg)?;
    let call = Call::of(&args)?;
    // Check that the result can be written back before making the call. This writes the bytes that
    // were read.
    args.write(arg, size)?;
    let journal = UserPtr::from_addr(args.journal as usize);
    expect_steps(explain::room(&args), journal)?;

    let steps = explain::explain(caller, call, &mut args)?;
    args.write(arg, size)?;
    steps.map_or(Ok(()), |steps| write_steps(&steps, journal))
}

/// Handles `NSPROXY_SHOW`.
///
/// # Errors
///
/// [`EINVAL`] for a struct shorter than the first version of it, [`E2BIG`], [`EFAULT`], and errors
/// of [`show::show`].
#[inline(never)] // Keeps this stack frame out of the SETNS path.
fn show(caller: &Caller<'_>, cmd: u32, arg: UserPtr) -> Result {
    let (mut args, size) = growing::<nsproxy_show>(cmd, arg)?;
    show::show(caller, &mut args)?;
    args.write(arg, size)
}

/// Handles `NSPROXY_VERSION`.
///
/// # Errors
///
/// [`EINVAL`] for a struct shorter than the first version of it or a reserved field that is set,
/// [`E2BIG`], [`EFAULT`].
#[inline(never)] // Keeps this stack frame out of the SETNS path.
fn version(caller: &Caller<'_>, cmd: u32, arg: UserPtr) -> Result {
    let (args, size) = growing::<nsproxy_version>(cmd, arg)?;
    if args.reserved != 0 {
        return Err(EINVAL);
    }

    let mut release = [0; _];
    for (to, from) in release.iter_mut().zip(RELEASE) {
        *to = *from as c_char;
    }
    nsproxy_version {
        abi: NSPROXY_ABI_VERSION,
        kinds: namespace::ALL,
        symbols: symbols::count(caller),
        reserved: 0,
        release,
    }
    .write(arg, size)
}
