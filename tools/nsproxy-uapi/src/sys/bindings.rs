// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note

// Generated from src/uapi/nsproxy_rs.h by tests/bindings.rs; do not edit.

pub const NSPROXY_ABI_VERSION: u32 = 6;
pub const NSPROXY_IOC_MAGIC: u32 = 185;
pub const NSPROXY_RELEASE_LEN: u32 = 72;
pub const NSPROXY_VERSION_SIZE_VER0: u32 = 88;
pub const NSPROXY_SERVE_OFF: u32 = 0;
pub const NSPROXY_SERVE_ON: u32 = 1;
pub const NSPROXY_SERVE_QUERY: u32 = 2;
pub const NSPROXY_LIMIT_UNKNOWN: u32 = 4294967295;
pub const NSPROXY_EXPLAIN_SIZE_VER0: u32 = 48;
pub const NSPROXY_EXPLAIN_DRY_RUN: u32 = 1;
pub const NSPROXY_EXPLAIN_2011: u32 = 2;
pub const NSPROXY_EXPLAIN_UNSHARE: u32 = 4;
pub const NSPROXY_EXPLAIN_CLONE: u32 = 8;
pub const NSPROXY_MEMBER_MNT: u32 = 0;
pub const NSPROXY_MEMBER_UTS: u32 = 1;
pub const NSPROXY_MEMBER_IPC: u32 = 2;
pub const NSPROXY_MEMBER_PID_FOR_CHILDREN: u32 = 3;
pub const NSPROXY_MEMBER_CGROUP: u32 = 4;
pub const NSPROXY_MEMBER_NET: u32 = 5;
pub const NSPROXY_MEMBER_TIME: u32 = 6;
pub const NSPROXY_MEMBER_TIME_FOR_CHILDREN: u32 = 7;
pub const NSPROXY_MEMBER_USER: u32 = 8;
pub const NSPROXY_MEMBER_PID: u32 = 9;
pub const NSPROXY_NR_MEMBERS: u32 = 10;
pub const NSPROXY_JOURNAL_MAX: u32 = 1024;
pub const NSPROXY_STEP_F_ABOUT: u32 = 1;
pub const NSPROXY_STEP_F_CONSTANT: u32 = 2;
pub const NSPROXY_SHOW_SIZE_VER0: u32 = 496;
pub type __s32 = ::std::os::raw::c_int;
pub type __u32 = ::std::os::raw::c_uint;
pub type __u64 = ::std::os::raw::c_ulonglong;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_setns {
    pub fd: __s32,
    pub nstype: __s32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_setns"][::std::mem::size_of::<nsproxy_setns>() - 8usize];
    ["Alignment of nsproxy_setns"][::std::mem::align_of::<nsproxy_setns>() - 4usize];
    [
        "Offset of field: nsproxy_setns::fd",
    ][::std::mem::offset_of!(nsproxy_setns, fd) - 0usize];
    [
        "Offset of field: nsproxy_setns::nstype",
    ][::std::mem::offset_of!(nsproxy_setns, nstype) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct nsproxy_version {
    pub abi: __u32,
    pub kinds: __u32,
    pub symbols: __u32,
    pub reserved: __u32,
    pub release: [::std::os::raw::c_char; 72usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_version"][::std::mem::size_of::<nsproxy_version>() - 88usize];
    ["Alignment of nsproxy_version"][::std::mem::align_of::<nsproxy_version>() - 4usize];
    [
        "Offset of field: nsproxy_version::abi",
    ][::std::mem::offset_of!(nsproxy_version, abi) - 0usize];
    [
        "Offset of field: nsproxy_version::kinds",
    ][::std::mem::offset_of!(nsproxy_version, kinds) - 4usize];
    [
        "Offset of field: nsproxy_version::symbols",
    ][::std::mem::offset_of!(nsproxy_version, symbols) - 8usize];
    [
        "Offset of field: nsproxy_version::reserved",
    ][::std::mem::offset_of!(nsproxy_version, reserved) - 12usize];
    [
        "Offset of field: nsproxy_version::release",
    ][::std::mem::offset_of!(nsproxy_version, release) - 16usize];
};
impl Default for nsproxy_version {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_explain {
    pub fd: __s32,
    pub nstype: __s32,
    pub flags: __u32,
    pub error: __u32,
    pub reason: __u32,
    pub kind: __u32,
    pub cap: __u32,
    pub count: __u32,
    pub ns_id: __u64,
    pub user_ns_id: __u64,
    pub journal: __u64,
    pub room: __u32,
    pub lines: __u32,
    pub limit: __u32,
    pub levels: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_explain"][::std::mem::size_of::<nsproxy_explain>() - 72usize];
    ["Alignment of nsproxy_explain"][::std::mem::align_of::<nsproxy_explain>() - 8usize];
    [
        "Offset of field: nsproxy_explain::fd",
    ][::std::mem::offset_of!(nsproxy_explain, fd) - 0usize];
    [
        "Offset of field: nsproxy_explain::nstype",
    ][::std::mem::offset_of!(nsproxy_explain, nstype) - 4usize];
    [
        "Offset of field: nsproxy_explain::flags",
    ][::std::mem::offset_of!(nsproxy_explain, flags) - 8usize];
    [
        "Offset of field: nsproxy_explain::error",
    ][::std::mem::offset_of!(nsproxy_explain, error) - 12usize];
    [
        "Offset of field: nsproxy_explain::reason",
    ][::std::mem::offset_of!(nsproxy_explain, reason) - 16usize];
    [
        "Offset of field: nsproxy_explain::kind",
    ][::std::mem::offset_of!(nsproxy_explain, kind) - 20usize];
    [
        "Offset of field: nsproxy_explain::cap",
    ][::std::mem::offset_of!(nsproxy_explain, cap) - 24usize];
    [
        "Offset of field: nsproxy_explain::count",
    ][::std::mem::offset_of!(nsproxy_explain, count) - 28usize];
    [
        "Offset of field: nsproxy_explain::ns_id",
    ][::std::mem::offset_of!(nsproxy_explain, ns_id) - 32usize];
    [
        "Offset of field: nsproxy_explain::user_ns_id",
    ][::std::mem::offset_of!(nsproxy_explain, user_ns_id) - 40usize];
    [
        "Offset of field: nsproxy_explain::journal",
    ][::std::mem::offset_of!(nsproxy_explain, journal) - 48usize];
    [
        "Offset of field: nsproxy_explain::room",
    ][::std::mem::offset_of!(nsproxy_explain, room) - 56usize];
    [
        "Offset of field: nsproxy_explain::lines",
    ][::std::mem::offset_of!(nsproxy_explain, lines) - 60usize];
    [
        "Offset of field: nsproxy_explain::limit",
    ][::std::mem::offset_of!(nsproxy_explain, limit) - 64usize];
    [
        "Offset of field: nsproxy_explain::levels",
    ][::std::mem::offset_of!(nsproxy_explain, levels) - 68usize];
};
pub const NSPROXY_REASON_BADF: nsproxy_reason = 1;
pub const NSPROXY_REASON_NEITHER: nsproxy_reason = 2;
pub const NSPROXY_REASON_NSTYPE: nsproxy_reason = 3;
pub const NSPROXY_REASON_NO_FLAGS: nsproxy_reason = 4;
pub const NSPROXY_REASON_UNKNOWN_FLAGS: nsproxy_reason = 5;
pub const NSPROXY_REASON_UNSUPPORTED: nsproxy_reason = 6;
pub const NSPROXY_REASON_NO_NSPROXY: nsproxy_reason = 7;
pub const NSPROXY_REASON_NO_CRED: nsproxy_reason = 8;
pub const NSPROXY_REASON_NO_FS: nsproxy_reason = 9;
pub const NSPROXY_REASON_REAPED: nsproxy_reason = 10;
pub const NSPROXY_REASON_PTRACE: nsproxy_reason = 11;
pub const NSPROXY_REASON_EXITING: nsproxy_reason = 12;
pub const NSPROXY_REASON_NO_PID_NS: nsproxy_reason = 13;
pub const NSPROXY_REASON_CAP_OWNER: nsproxy_reason = 14;
pub const NSPROXY_REASON_CAP_SET: nsproxy_reason = 15;
pub const NSPROXY_REASON_CHROOT: nsproxy_reason = 16;
pub const NSPROXY_REASON_CAP_USER: nsproxy_reason = 17;
pub const NSPROXY_REASON_ANONYMOUS: nsproxy_reason = 18;
pub const NSPROXY_REASON_FS_SHARED: nsproxy_reason = 19;
pub const NSPROXY_REASON_ROOT: nsproxy_reason = 20;
pub const NSPROXY_REASON_NOT_BELOW: nsproxy_reason = 21;
pub const NSPROXY_REASON_SAME_USER: nsproxy_reason = 22;
pub const NSPROXY_REASON_THREADS: nsproxy_reason = 23;
pub const NSPROXY_REASON_UCOUNTS: nsproxy_reason = 24;
pub const NSPROXY_REASON_MM_SHARED: nsproxy_reason = 25;
pub const NSPROXY_REASON_CAP_INIT: nsproxy_reason = 26;
pub const NSPROXY_REASON_NO_NS: nsproxy_reason = 27;
pub const NSPROXY_REASON_USERNS_OFF: nsproxy_reason = 29;
pub const NSPROXY_REASON_UNSHARE_FLAGS: nsproxy_reason = 30;
pub const NSPROXY_REASON_UNSHARE_THREADS: nsproxy_reason = 31;
pub const NSPROXY_REASON_SIGHAND_SHARED: nsproxy_reason = 32;
pub const NSPROXY_REASON_VM_SHARED: nsproxy_reason = 33;
pub const NSPROXY_REASON_NO_FILES: nsproxy_reason = 34;
pub const NSPROXY_REASON_NEW_UCOUNTS: nsproxy_reason = 35;
pub const NSPROXY_REASON_CAP_NEW: nsproxy_reason = 36;
pub const NSPROXY_REASON_LIMIT: nsproxy_reason = 37;
pub const NSPROXY_REASON_NESTED: nsproxy_reason = 38;
pub const NSPROXY_REASON_CHROOTED: nsproxy_reason = 39;
pub const NSPROXY_REASON_UNMAPPED: nsproxy_reason = 40;
pub const NSPROXY_REASON_LSM: nsproxy_reason = 41;
pub const NSPROXY_REASON_PID_FOR_CHILDREN: nsproxy_reason = 42;
pub const NSPROXY_REASON_PID_OWNER: nsproxy_reason = 43;
pub const NSPROXY_REASON_NO_NEW_NS: nsproxy_reason = 44;
pub const NSPROXY_REASON_CLONE_FLAGS: nsproxy_reason = 45;
pub const NSPROXY_REASON_CLONE_FS: nsproxy_reason = 46;
pub const NSPROXY_REASON_CLONE_PARENT: nsproxy_reason = 47;
pub const NSPROXY_REASON_CLONE_THREAD: nsproxy_reason = 48;
pub const NSPROXY_REASON_CLONE_SYSVSEM: nsproxy_reason = 49;
pub type nsproxy_reason = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_step {
    pub time: __u64,
    pub ns_id: __u64,
    pub seq: __u32,
    pub step: __u32,
    pub error: __u32,
    pub kind: __u32,
    pub members: __u32,
    pub flags: __u32,
    pub nsproxy: [__u32; 2usize],
    pub ns_ref: [__u32; 2usize],
    pub active: [__u32; 2usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_step"][::std::mem::size_of::<nsproxy_step>() - 64usize];
    ["Alignment of nsproxy_step"][::std::mem::align_of::<nsproxy_step>() - 8usize];
    [
        "Offset of field: nsproxy_step::time",
    ][::std::mem::offset_of!(nsproxy_step, time) - 0usize];
    [
        "Offset of field: nsproxy_step::ns_id",
    ][::std::mem::offset_of!(nsproxy_step, ns_id) - 8usize];
    [
        "Offset of field: nsproxy_step::seq",
    ][::std::mem::offset_of!(nsproxy_step, seq) - 16usize];
    [
        "Offset of field: nsproxy_step::step",
    ][::std::mem::offset_of!(nsproxy_step, step) - 20usize];
    [
        "Offset of field: nsproxy_step::error",
    ][::std::mem::offset_of!(nsproxy_step, error) - 24usize];
    [
        "Offset of field: nsproxy_step::kind",
    ][::std::mem::offset_of!(nsproxy_step, kind) - 28usize];
    [
        "Offset of field: nsproxy_step::members",
    ][::std::mem::offset_of!(nsproxy_step, members) - 32usize];
    [
        "Offset of field: nsproxy_step::flags",
    ][::std::mem::offset_of!(nsproxy_step, flags) - 36usize];
    [
        "Offset of field: nsproxy_step::nsproxy",
    ][::std::mem::offset_of!(nsproxy_step, nsproxy) - 40usize];
    [
        "Offset of field: nsproxy_step::ns_ref",
    ][::std::mem::offset_of!(nsproxy_step, ns_ref) - 48usize];
    [
        "Offset of field: nsproxy_step::active",
    ][::std::mem::offset_of!(nsproxy_step, active) - 56usize];
};
pub const NSPROXY_STEP_CALLER: nsproxy_step_id = 1;
pub const NSPROXY_STEP_CAPABLE: nsproxy_step_id = 2;
pub const NSPROXY_STEP_FGET: nsproxy_step_id = 3;
pub const NSPROXY_STEP_TYPE: nsproxy_step_id = 4;
pub const NSPROXY_STEP_CREATE: nsproxy_step_id = 5;
pub const NSPROXY_STEP_CRED: nsproxy_step_id = 6;
pub const NSPROXY_STEP_FS: nsproxy_step_id = 7;
pub const NSPROXY_STEP_TARGET: nsproxy_step_id = 8;
pub const NSPROXY_STEP_INSTALL: nsproxy_step_id = 9;
pub const NSPROXY_STEP_TARGET_PUT: nsproxy_step_id = 10;
pub const NSPROXY_STEP_COMMIT_CREDS: nsproxy_step_id = 11;
pub const NSPROXY_STEP_SET_FS: nsproxy_step_id = 12;
pub const NSPROXY_STEP_EXIT_SEM: nsproxy_step_id = 13;
pub const NSPROXY_STEP_TIMENS: nsproxy_step_id = 14;
pub const NSPROXY_STEP_ACTIVATE: nsproxy_step_id = 15;
pub const NSPROXY_STEP_SWITCH: nsproxy_step_id = 16;
pub const NSPROXY_STEP_PUT_NSPROXY: nsproxy_step_id = 17;
pub const NSPROXY_STEP_PERF: nsproxy_step_id = 18;
pub const NSPROXY_STEP_RETURN: nsproxy_step_id = 19;
pub const NSPROXY_STEP_FLAGS: nsproxy_step_id = 20;
pub const NSPROXY_STEP_FILES: nsproxy_step_id = 21;
pub const NSPROXY_STEP_NEW_NS: nsproxy_step_id = 22;
pub const NSPROXY_STEP_UCOUNTS: nsproxy_step_id = 23;
pub const NSPROXY_STEP_EXIT_SHM: nsproxy_step_id = 24;
pub const NSPROXY_STEP_SWITCH_FS: nsproxy_step_id = 25;
pub const NSPROXY_STEP_SWITCH_FILES: nsproxy_step_id = 26;
pub type nsproxy_step_id = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_ns {
    pub ns_id: __u64,
    pub owner_id: __u64,
    pub parent_id: __u64,
    pub inum: __u32,
    pub kind: __u32,
    pub ns_ref: __u32,
    pub active: __u32,
    pub flags: __u32,
    pub reserved: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_ns"][::std::mem::size_of::<nsproxy_ns>() - 48usize];
    ["Alignment of nsproxy_ns"][::std::mem::align_of::<nsproxy_ns>() - 8usize];
    [
        "Offset of field: nsproxy_ns::ns_id",
    ][::std::mem::offset_of!(nsproxy_ns, ns_id) - 0usize];
    [
        "Offset of field: nsproxy_ns::owner_id",
    ][::std::mem::offset_of!(nsproxy_ns, owner_id) - 8usize];
    [
        "Offset of field: nsproxy_ns::parent_id",
    ][::std::mem::offset_of!(nsproxy_ns, parent_id) - 16usize];
    [
        "Offset of field: nsproxy_ns::inum",
    ][::std::mem::offset_of!(nsproxy_ns, inum) - 24usize];
    [
        "Offset of field: nsproxy_ns::kind",
    ][::std::mem::offset_of!(nsproxy_ns, kind) - 28usize];
    [
        "Offset of field: nsproxy_ns::ns_ref",
    ][::std::mem::offset_of!(nsproxy_ns, ns_ref) - 32usize];
    [
        "Offset of field: nsproxy_ns::active",
    ][::std::mem::offset_of!(nsproxy_ns, active) - 36usize];
    [
        "Offset of field: nsproxy_ns::flags",
    ][::std::mem::offset_of!(nsproxy_ns, flags) - 40usize];
    [
        "Offset of field: nsproxy_ns::reserved",
    ][::std::mem::offset_of!(nsproxy_ns, reserved) - 44usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_show {
    pub pidfd: __s32,
    pub flags: __u32,
    pub count: __u32,
    pub reserved: __u32,
    pub ns: [nsproxy_ns; 10usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_show"][::std::mem::size_of::<nsproxy_show>() - 496usize];
    ["Alignment of nsproxy_show"][::std::mem::align_of::<nsproxy_show>() - 8usize];
    [
        "Offset of field: nsproxy_show::pidfd",
    ][::std::mem::offset_of!(nsproxy_show, pidfd) - 0usize];
    [
        "Offset of field: nsproxy_show::flags",
    ][::std::mem::offset_of!(nsproxy_show, flags) - 4usize];
    [
        "Offset of field: nsproxy_show::count",
    ][::std::mem::offset_of!(nsproxy_show, count) - 8usize];
    [
        "Offset of field: nsproxy_show::reserved",
    ][::std::mem::offset_of!(nsproxy_show, reserved) - 12usize];
    [
        "Offset of field: nsproxy_show::ns",
    ][::std::mem::offset_of!(nsproxy_show, ns) - 16usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct nsproxy_unshare {
    pub flags: __u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of nsproxy_unshare"][::std::mem::size_of::<nsproxy_unshare>() - 8usize];
    ["Alignment of nsproxy_unshare"][::std::mem::align_of::<nsproxy_unshare>() - 8usize];
    [
        "Offset of field: nsproxy_unshare::flags",
    ][::std::mem::offset_of!(nsproxy_unshare, flags) - 0usize];
};
pub const NSPROXY_IOCTL_SETNS: nsproxy_ioctl = 1074313472;
pub const NSPROXY_IOCTL_SETNS_2011: nsproxy_ioctl = 1074313473;
pub const NSPROXY_IOCTL_VERSION: nsproxy_ioctl = 3227040002;
pub const NSPROXY_IOCTL_SERVE: nsproxy_ioctl = 47363;
pub const NSPROXY_IOCTL_EXPLAIN: nsproxy_ioctl = 3225991428;
pub const NSPROXY_IOCTL_SHOW: nsproxy_ioctl = 3253778693;
pub const NSPROXY_IOCTL_UNSHARE: nsproxy_ioctl = 1074313478;
pub type nsproxy_ioctl = ::std::os::raw::c_uint;
