// SPDX-License-Identifier: GPL-2.0-only

//! `proc_ns_operations.install()`: each kind's own check, and its part of the set.

use super::{
    bindings,
    caller::Caller,
    cred::SetCred,
    fs::SetFs,
    namespace::Ns,
    nsproxy::NewNsProxy,
    returned, //
};
use kernel::{
    bindings::{nsset, CLONE_NEWNS, CLONE_NEWUSER},
    prelude::*,
};

/// Asks the kind of `ns` whether the caller may enter it, and puts it into the set if so.
///
/// Takes `&mut Caller` because the mount kind changes the caller's root and working directory at
/// once when it is the only one asked for. On an error nothing is changed. `flags` are the
/// `CLONE_NEW*` of all that is asked for, `ns` among it.
///
/// The reference to what `ns` replaces in `nsproxy` is dropped, and one to `ns` taken. May sleep.
///
/// # Errors
///
/// Those of the kind: `EPERM`, `EINVAL`, `EUSERS`, or what looking up a root says.
#[doc(alias = "validate_ns")]
pub(crate) fn install(
    caller: &mut Caller<'_>,
    ns: &Ns,
    flags: u32,
    nsproxy: &mut NewNsProxy,
    cred: &mut SetCred,
    fs: &mut SetFs,
) -> Result {
    // The C functions trust the set to fit its flags: `nsset_cred()` gives a cred out for
    // writing by `CLONE_NEWUSER`, `mntns_install()` follows `fs`. Types cannot say that, so:
    let fits = (flags & CLONE_NEWUSER != 0) == matches!(cred, SetCred::Prepared(_))
        && (flags & CLONE_NEWNS != 0) != matches!(fs, SetFs::None)
        && flags & ns.ns_type() != 0;
    if kernel::warn_on!(!fits) {
        return Err(EINVAL);
    }

    let mut set = nsset {
        flags,
        nsproxy: nsproxy.as_ptr(),
        fs: fs.as_ptr(caller),
        cred: cred.as_ptr(caller),
    };
    // SAFETY: Every pointer of the set is valid, and fits its flags as checked above. What
    // `install()` writes through them is the nsproxy, which is ours and exclusively borrowed (a
    // member is replaced together with its reference), a prepared cred, likewise, and the
    // `fs_struct`, whose lock it takes. It keeps none of the pointers.
    returned(unsafe { bindings::nsproxy_rs_ns_install(&mut set, ns.as_ptr()) })
}
