// SPDX-License-Identifier: GPL-2.0-only

//! `nsproxy explain` names the check that refuses, and each of its hints works: a test creates the
//! situation and follows the hint, and the call succeeds.

use crate::{
    case::{
        fixtures::Fixtures,
        implementation::Kind,
        target::{Liveness, Target, USER},
    },
    env::kernel::Feature,
    errno::Code,
    process::setup::Setup,
    report::ktap::Test,
    suites::hints::{Failing, follow, shell, text},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::Reason;

/// A situation in which the tool fails.
struct Row {
    name: &'static str,
    /// The errno in the first line, or the reason that has it.
    failure: Failure,
    target: fn() -> Target,
    /// A shell command, in which `$t` is the pid of the target.
    typed: &'static str,
    /// A part of the text that is specific to the situation.
    prints: &'static str,
    /// The printed hints, in order.
    hints: &'static [Hint],
}

impl Row {
    /// Returns whether user space explains the failure as well. Only the module has setns(2) of 2011.
    fn is_of_user_space(&self) -> bool {
        // User space cannot tell that from a limit.
        matches!(self.failure, Refused(reason) if reason != Reason::Nested)
            && self.typed.contains(EXPLAIN)
            && !self.typed.contains("--2011")
    }

    /// Returns the feature of the kernel without which the hints are others.
    fn feature(&self) -> Option<Feature> {
        // The files of a process of root have the same owner in any case.
        (self.name == "ptrace, not dumpable").then_some(Feature::PidfdDumpable)
    }
}

const EXPLAIN: &str = "nsproxy explain ";

/// Returns a command that needs no module: it explains from user space, and makes system calls.
fn without_module(command: &str) -> String {
    command
        .replace(EXPLAIN, &format!("{EXPLAIN}--via user-space "))
        .replace("nsproxy setns ", "nsproxy setns --via syscall ")
        .replace("nsproxy unshare ", "nsproxy unshare --via syscall ")
}

enum Failure {
    Refused(Reason),
    /// A failure before any call: the errno, and the exit status.
    Before(&'static str, i32),
}

/// The part of a hint that does not depend on the guest, and a shell command that follows the hint;
/// `$hint` is the whole hint.
struct Hint(&'static str, &'static str);

use Failure::{Before, Refused};

/// Runs as root with all capabilities but one.
macro_rules! without {
    ($cap:literal, $command:literal) => {
        concat!("/usr/bin/setpriv --bounding-set -", $cap, " ", $command)
    };
}

/// Runs as a user with these capabilities; `+dac_override` permits opening the device.
macro_rules! user {
    ($id:literal, $caps:literal, $command:literal) => {
        concat!(
            "/usr/bin/setpriv --reuid ",
            $id,
            " --regid ",
            $id,
            " --clear-groups --inh-caps ",
            $caps,
            " --ambient-caps ",
            $caps,
            " ",
            $command
        )
    };
}

/// Runs where `/dev` is an empty tmpfs, with mount options.
macro_rules! bare_dev {
    ($options:literal, $commands:literal) => {
        concat!(
            "/usr/bin/unshare -m sh -c 'mount -t tmpfs -o ",
            $options,
            " dev /dev; ",
            $commands,
            "'"
        )
    };
}

macro_rules! dropped {
    ($cap:literal) => {
        concat!(
            "run with CAP_",
            $cap,
            " in the bounding set, from which it was dropped (containers: \
             --cap-add ",
            $cap,
            ")"
        )
    };
}

fn in_new_uts() -> Target {
    Target::in_new(Kind::Uts.flag())
}

/// Returns a target of an unprivileged user, in new user and uts namespaces.
fn of_user() -> Target {
    Target::in_new(Kind::User.flag() | Kind::Uts.flag()).of_user()
}

const ROWS: &[Row] = &[
    Row {
        name: "neither",
        failure: Refused(Reason::Neither),
        target: Target::default,
        typed: "nsproxy explain -u=/bin/busybox",
        prints: "the file is neither a namespace nor a pidfd",
        hints: &[Hint(
            "name a file in /proc/PID/ns, or a bind mount of one",
            "nsproxy explain -u=/proc/$t/ns/uts && touch /run/uts &&
             mount -o bind /proc/$t/ns/uts /run/uts && nsproxy explain -u=/run/uts
             status=$?; umount /run/uts; rm /run/uts; exit $status",
        )],
    },
    Row {
        name: "nstype",
        failure: Refused(Reason::NsType),
        target: Target::in_all_new,
        typed: "nsproxy explain -n=/proc/$t/ns/uts",
        prints: "the file is a namespace of another kind",
        hints: &[Hint(
            "name its kind: -u=/proc/",
            "nsproxy explain ${hint##* }",
        )],
    },
    Row {
        name: "ptrace, capabilities",
        failure: Refused(Reason::Ptrace),
        // The target has the capability that the caller is missing.
        target: in_new_uts,
        typed: without!("sys_ptrace", "nsproxy explain -t $t -u"),
        prints: "it has more capabilities: CAP_SYS_PTRACE",
        hints: &[Hint(dropped!("SYS_PTRACE"), "nsproxy explain -t $t -u")],
    },
    Row {
        name: "ptrace, not dumpable",
        failure: Refused(Reason::Ptrace),
        target: || Target::new([Setup::KeepCaps(0), Setup::NotDumpable]),
        typed: without!("sys_ptrace", "nsproxy explain -t $t -u"),
        prints: "it is not dumpable",
        hints: &[Hint(dropped!("SYS_PTRACE"), "nsproxy explain -t $t -u")],
    },
    Row {
        name: "ptrace, another user",
        failure: Refused(Reason::Ptrace),
        target: || Target::new([Setup::Unshare(Kind::Uts.flag()), Setup::SetIds(USER)]),
        typed: without!("sys_ptrace", "nsproxy explain -t $t -u"),
        prints: "it runs as another user or group",
        hints: &[
            Hint(
                "run as its user and group, uid 1000 and gid 1000",
                user!(
                    "1000",
                    "+sys_admin,+dac_override",
                    "nsproxy explain -t $t -u"
                ),
            ),
            Hint(dropped!("SYS_PTRACE"), "nsproxy explain -t $t -u"),
        ],
    },
    Row {
        name: "ptrace, not root",
        failure: Refused(Reason::Ptrace),
        target: in_new_uts,
        typed: user!(
            "1000",
            "+sys_admin,+dac_override",
            "nsproxy explain -t $t -u"
        ),
        prints: "it runs as another user or group",
        hints: &[Hint(
            "run as root, or with CAP_SYS_PTRACE",
            concat!(
                "nsproxy explain -t $t -u && ",
                user!(
                    "1000",
                    "+sys_admin,+dac_override,+sys_ptrace",
                    "nsproxy explain -t $t -u"
                )
            ),
        )],
    },
    Row {
        name: "ptrace, user namespace",
        failure: Refused(Reason::Ptrace),
        target: in_new_uts,
        typed: "/usr/bin/unshare -U -r nsproxy explain -t $t -u",
        prints: "it is in another user namespace",
        hints: &[Hint(
            "run with CAP_SYS_PTRACE in its user namespace, or in one above it",
            "nsproxy explain -t $t -u",
        )],
    },
    Row {
        name: "ptrace, of a file in /proc",
        failure: Before("EACCES", 1),
        target: in_new_uts,
        typed: without!("sys_ptrace", "nsproxy explain -u=/proc/$t/ns/uts"),
        prints: "it has more capabilities: CAP_SYS_PTRACE",
        hints: &[Hint(
            dropped!("SYS_PTRACE"),
            "nsproxy explain -u=/proc/$t/ns/uts",
        )],
    },
    Row {
        name: "ptrace, show",
        failure: Before("EACCES", 1),
        target: in_new_uts,
        typed: without!("sys_ptrace", "nsproxy show -t $t"),
        prints: "it has more capabilities: CAP_SYS_PTRACE",
        hints: &[Hint(dropped!("SYS_PTRACE"), "nsproxy show -t $t")],
    },
    Row {
        name: "exiting, a zombie",
        failure: Refused(Reason::Exiting),
        target: || Target::default().with_liveness(Liveness::Zombie),
        typed: "nsproxy explain -t $t -u",
        prints: "it is a zombie",
        hints: &[],
    },
    Row {
        name: "exiting, init of a pid namespace",
        failure: Refused(Reason::Exiting),
        target: Target::default,
        // Init waits for the process that it has killed, whose parent is outside and stopped.
        typed:
            "child() { grep -l \"^PPid:.$1\\$\" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3; }
            is() { grep -qs \"$1\" /proc/$(child $2)/$3; }
            wait_for() {
                tries=3000
                until is \"$@\"; do
                    tries=$((tries - 1)); [ $tries -gt 0 ] || exit 99
                    sleep 0.02
                done
            }
            /usr/bin/unshare -p -f sleep 1000 2>/dev/null & maker=$!
            wait_for sleep $maker comm
            init=$(child $maker)
            /usr/bin/nsenter -t $init -p sleep 1000 2>/dev/null & parent=$!
            wait_for sleep $parent comm
            kill -STOP $parent
            kill -KILL $init
            wait_for '^State:.Z' $parent status
            nsproxy explain -t $init -u
            status=$?
            kill -CONT $parent
            wait
            exit $status",
        prints: "the init of a pid namespace waits for the processes in it to end",
        hints: &[],
    },
    Row {
        name: "cap-owner, dropped",
        failure: Refused(Reason::CapOwner),
        target: in_new_uts,
        typed: without!("sys_admin", "nsproxy explain -u=/proc/$t/ns/uts"),
        prints: "missing: CAP_SYS_ADMIN in user namespace 3 (user:[4026531837], process 1)",
        hints: &[Hint(
            dropped!("SYS_ADMIN"),
            "nsproxy explain -u=/proc/$t/ns/uts",
        )],
    },
    Row {
        name: "cap-owner, not root",
        failure: Refused(Reason::CapOwner),
        target: in_new_uts,
        typed: user!(
            "1000",
            "+sys_ptrace,+dac_override",
            "nsproxy explain -t $t -u"
        ),
        prints: "missing capability in the user namespace that owns the namespace",
        hints: &[Hint(
            "run as root, or with CAP_SYS_ADMIN",
            concat!(
                "nsproxy explain -t $t -u && ",
                user!(
                    "1000",
                    "+sys_ptrace,+dac_override,+sys_admin",
                    "nsproxy explain -t $t -u"
                )
            ),
        )],
    },
    Row {
        name: "cap-owner, root without capabilities",
        failure: Refused(Reason::CapOwner),
        target: Target::default,
        typed: "/usr/bin/setpriv --securebits +noroot nsproxy explain -u=/proc/self/ns/uts",
        prints: "missing: CAP_SYS_ADMIN",
        hints: &[Hint(
            "run with CAP_SYS_ADMIN, which root does not have here (securebits or no_new_privs)",
            "nsproxy explain -u=/proc/self/ns/uts",
        )],
    },
    Row {
        name: "cap-owner, above",
        failure: Refused(Reason::CapOwner),
        target: Target::default,
        typed: "/usr/bin/unshare -U -r nsproxy explain -u=/proc/self/ns/uts",
        prints: "missing: CAP_SYS_ADMIN",
        hints: &[Hint(
            "run outside of the caller's user namespace: in ",
            "nsproxy explain -u=/proc/self/ns/uts",
        )],
    },
    Row {
        name: "cap-owner, below",
        failure: Refused(Reason::CapOwner),
        target: of_user,
        typed: user!(
            "1001",
            "+sys_ptrace,+dac_override",
            "nsproxy explain -t $t -u"
        ),
        prints: "missing capability in the user namespace that owns the namespace",
        hints: &[
            Hint(
                "run as its owner, uid 1000, with -U",
                user!("1000", "+dac_override", "nsproxy explain -t $t -U -u"),
            ),
            Hint(
                "run as root, or with CAP_SYS_ADMIN",
                "nsproxy explain -t $t -u",
            ),
        ],
    },
    Row {
        name: "cap-owner, below, by a file",
        failure: Refused(Reason::CapOwner),
        target: of_user,
        typed: user!(
            "1001",
            "+sys_ptrace,+dac_override",
            "nsproxy explain -u=/proc/$t/ns/uts"
        ),
        prints: "missing capability in the user namespace that owns the namespace",
        hints: &[
            Hint(
                "run as its owner, uid 1000, with -U=/proc/",
                user!(
                    "1000",
                    "+dac_override",
                    "nsproxy setns --preserve-credentials ${hint##* } -u=/proc/$t/ns/uts true"
                ),
            ),
            Hint(
                "run as root, or with CAP_SYS_ADMIN",
                "nsproxy explain -u=/proc/$t/ns/uts",
            ),
        ],
    },
    Row {
        name: "cap-set",
        failure: Refused(Reason::CapSet),
        target: Target::in_all_new,
        typed: without!("sys_admin", "nsproxy explain -t $t -u"),
        prints: "missing capability in the caller's user namespace",
        hints: &[
            Hint(
                "enter the user namespace as well, with -U",
                without!("sys_admin", "nsproxy explain -t $t -u ${hint##* }"),
            ),
            Hint(dropped!("SYS_ADMIN"), "nsproxy explain -t $t -u"),
        ],
    },
    Row {
        name: "cap-set, by a file",
        failure: Refused(Reason::CapSet),
        target: Target::in_all_new,
        typed: without!("sys_admin", "nsproxy explain -u=/proc/$t/ns/uts"),
        prints: "missing capability in the caller's user namespace",
        hints: &[
            Hint(
                "enter the user namespace as well, with -U=/proc/",
                without!(
                    "sys_admin",
                    "nsproxy setns -u=/proc/$t/ns/uts ${hint##* } true"
                ),
            ),
            Hint(dropped!("SYS_ADMIN"), "nsproxy explain -u=/proc/$t/ns/uts"),
        ],
    },
    Row {
        name: "chroot",
        failure: Refused(Reason::Chroot),
        target: Target::in_all_new,
        typed: without!("sys_chroot", "nsproxy explain -t $t -m"),
        prints: "missing: CAP_SYS_CHROOT",
        hints: &[
            Hint(
                "enter the user namespace as well, with -U",
                without!("sys_chroot", "nsproxy explain -t $t -m ${hint##* }"),
            ),
            Hint(dropped!("SYS_CHROOT"), "nsproxy explain -t $t -m"),
        ],
    },
    Row {
        name: "chroot, by a file",
        failure: Refused(Reason::Chroot),
        target: Target::in_all_new,
        typed: without!("sys_chroot", "nsproxy explain -m=/proc/$t/ns/mnt"),
        prints: "missing: CAP_SYS_CHROOT",
        hints: &[
            Hint(
                "enter the user namespace as well, with -U=/proc/",
                without!(
                    "sys_chroot",
                    "nsproxy setns -m=/proc/$t/ns/mnt ${hint##* } true"
                ),
            ),
            Hint(dropped!("SYS_CHROOT"), "nsproxy explain -m=/proc/$t/ns/mnt"),
        ],
    },
    Row {
        name: "chroot, no other user namespace",
        failure: Refused(Reason::Chroot),
        target: || Target::in_new(Kind::Mnt.flag()),
        typed: without!("sys_chroot", "nsproxy explain -t $t -m"),
        prints: "missing: CAP_SYS_CHROOT",
        hints: &[Hint(dropped!("SYS_CHROOT"), "nsproxy explain -t $t -m")],
    },
    Row {
        name: "cap-user",
        failure: Refused(Reason::CapUser),
        target: || Target::in_new(Kind::User.flag()).of_user(),
        typed: without!("sys_admin", "nsproxy explain -U=/proc/$t/ns/user"),
        prints: "missing capability in the user namespace to be entered",
        hints: &[
            Hint(
                "run as its owner, uid 1000",
                user!(
                    "1000",
                    "+dac_override",
                    "nsproxy explain -U=/proc/$t/ns/user"
                ),
            ),
            Hint(dropped!("SYS_ADMIN"), "nsproxy explain -U=/proc/$t/ns/user"),
        ],
    },
    Row {
        name: "fs-shared",
        failure: Refused(Reason::FsShared),
        target: Target::in_all_new,
        typed: "nsproxy-tests share-fs nsproxy explain -m=/proc/$t/ns/mnt",
        prints: "2 tasks share root and working directory",
        hints: &[Hint(
            "call unshare(CLONE_FS) first, or call from a child made by fork(2)",
            "nsproxy-tests share-fs /usr/bin/unshare -m nsproxy explain -m=/proc/$t/ns/mnt &&
             nsproxy-tests share-fs sh -c 'nsproxy explain -m=/proc/$t/ns/mnt; exit $?'",
        )],
    },
    Row {
        name: "not-below",
        failure: Refused(Reason::NotBelow),
        target: Target::default,
        // Its /proc is still the one of outside.
        typed: "/usr/bin/unshare --fork --pid nsproxy explain -p=/proc/$t/ns/pid",
        prints: "neither the caller's nor a descendant of it",
        hints: &[Hint(
            "run in that pid namespace, or in one above it: no process leaves its own",
            "nsproxy explain -p=/proc/$t/ns/pid",
        )],
    },
    Row {
        name: "same-user",
        failure: Refused(Reason::SameUser),
        target: Target::default,
        typed: "nsproxy explain -t $t -U -u",
        prints: "the caller is already in that user namespace",
        hints: &[Hint("omit -U", "nsproxy explain -t $t -u")],
    },
    Row {
        name: "cap-init",
        failure: Refused(Reason::CapInit),
        target: Target::default,
        typed: without!("sys_admin", "nsproxy explain --2011 -u=/proc/$t/ns/uts"),
        prints: "in 2011 setns(2) required CAP_SYS_ADMIN in the initial user namespace",
        hints: &[Hint(
            dropped!("SYS_ADMIN"),
            "nsproxy explain --2011 -u=/proc/$t/ns/uts",
        )],
    },
    Row {
        name: "cap-init, above",
        failure: Refused(Reason::CapInit),
        target: Target::default,
        typed: "/usr/bin/unshare -U -r nsproxy explain --2011 -u=/proc/self/ns/uts",
        prints: "missing: CAP_SYS_ADMIN",
        hints: &[Hint(
            "run outside of the caller's user namespace: in ",
            "nsproxy explain --2011 -u=/proc/self/ns/uts",
        )],
    },
    Row {
        name: "no-ns",
        failure: Refused(Reason::NoNs),
        target: Target::default,
        typed: "nsproxy explain --2011 -m=/proc/$t/ns/mnt",
        prints: "in 2011 only net, uts and ipc had namespace files",
        hints: &[Hint("omit --2011", "nsproxy explain -m=/proc/$t/ns/mnt")],
    },
    Row {
        name: "the device, no node",
        failure: Before("ENOENT", 1),
        target: Target::default,
        typed: bare_dev!("mode=755", "nsproxy version"),
        prints: "the module is loaded, but this /dev has no node for it",
        hints: &[Hint(
            "as root: mknod -m 600 /dev/nsproxy c 10 ",
            bare_dev!("mode=755", "made=${hint#*: }; ${made%%;*}; nsproxy version"),
        )],
    },
    Row {
        name: "the device, no node, and a reason from user space",
        failure: Before("EINVAL", 1),
        target: Target::default,
        typed: bare_dev!(
            "mode=755",
            "nsproxy setns --via syscall -u=/bin/busybox true"
        ),
        prints: "reason: the file is neither a namespace nor a pidfd",
        hints: &[Hint(
            "name a file in /proc/PID/ns, or a bind mount of one",
            bare_dev!(
                "mode=755",
                "nsproxy setns --via syscall -u=/proc/$t/ns/uts true"
            ),
        )],
    },
    Row {
        name: "the device, another number",
        failure: Before("ENODEV", 1),
        target: Target::default,
        typed: bare_dev!("mode=755", "mknod /dev/nsproxy c 10 200; nsproxy version"),
        prints: "it has another number",
        hints: &[Hint(
            "remove it; as root: mknod -m 600 /dev/nsproxy c 10 ",
            bare_dev!(
                "mode=755",
                "mknod /dev/nsproxy c 10 200; rm /dev/nsproxy
                 made=${hint##*root: }; ${made%%:*}; nsproxy version"
            ),
        )],
    },
    Row {
        name: "the device, nodev",
        failure: Before("EACCES", 1),
        target: Target::default,
        typed: bare_dev!(
            "nodev",
            "mknod /dev/nsproxy c 10 $(grep nsproxy /proc/misc | cut -c 1-3); nsproxy version"
        ),
        prints: "EACCES",
        hints: &[Hint(
            "mount the filesystem of /dev without nodev",
            bare_dev!(
                "dev",
                "mknod /dev/nsproxy c 10 $(grep nsproxy /proc/misc | cut -c 1-3); nsproxy version"
            ),
        )],
    },
    Row {
        name: "the device, not root",
        failure: Before("EACCES", 1),
        target: Target::default,
        typed: user!("1000", "-all", "nsproxy version"),
        prints: "EACCES",
        hints: &[Hint(
            "run as root, or as root: chmod a+rw /dev/nsproxy",
            concat!(
                "nsproxy version && chmod a+rw /dev/nsproxy && ",
                user!("1000", "-all", "nsproxy version"),
                "\nstatus=$?; chmod 600 /dev/nsproxy; exit $status"
            ),
        )],
    },
    Row {
        name: "a file without its sign",
        failure: Before("error: unexpected argument", 2),
        target: Target::default,
        typed: "nsproxy explain -n /proc/$t/ns/net",
        prints: "tip: join the file to its option: -n=/proc/",
        hints: &[],
    },
    Row {
        name: "no such process",
        failure: Before("ESRCH", 1),
        target: Target::default,
        typed: "nsproxy explain -t 4194303 -n",
        prints: "cannot open process 4194303",
        hints: &[Hint(
            "name a process of this pid namespace",
            "nsproxy explain -t $t -n",
        )],
    },
    Row {
        name: "no such process, all kinds",
        failure: Before("ESRCH", 1),
        target: Target::default,
        typed: "nsproxy explain -t 4194303 -a",
        prints: "cannot open process 4194303",
        hints: &[Hint(
            "name a process of this pid namespace",
            "nsproxy explain -t $t -a",
        )],
    },
    Row {
        name: "a sysctl forbids user namespaces",
        failure: Refused(Reason::UsernsOff),
        target: Target::default,
        typed: concat!(
            "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; ",
            user!("1000", "+dac_override", "nsproxy explain --unshare -U"),
            "; status=$?; echo 1 >/proc/sys/kernel/unprivileged_userns_clone; exit $status"
        ),
        prints: "kernel.unprivileged_userns_clone is 0",
        hints: &[
            Hint(
                "sysctl kernel.unprivileged_userns_clone=1, as root",
                user!("1000", "+dac_override", "nsproxy explain --unshare -U"),
            ),
            Hint(
                "run as root, or with CAP_SYS_ADMIN",
                "nsproxy explain --unshare -U",
            ),
        ],
    },
    Row {
        name: "create without a capability",
        failure: Refused(Reason::CapNew),
        target: Target::default,
        typed: without!("sys_admin", "nsproxy explain --unshare -n"),
        prints: "missing: CAP_SYS_ADMIN in user namespace 3 (user:[4026531837], process 1)",
        hints: &[
            Hint(
                "create a user namespace as well, with -U or -r",
                without!("sys_admin", "nsproxy explain --unshare -U -n"),
            ),
            Hint(dropped!("SYS_ADMIN"), "nsproxy explain --unshare -n"),
        ],
    },
    Row {
        name: "a limit",
        failure: Refused(Reason::Limit),
        target: Target::default,
        typed: "nsproxy unshare -r sh -c '
                echo 0 >/proc/sys/user/max_net_namespaces; nsproxy explain --unshare -n'",
        prints: "user.max_net_namespaces is 0 in user namespace ",
        hints: &[Hint(
            "raise the limit: write a higher number to user.max_net_namespaces as root there",
            "nsproxy unshare -r sh -c '
             echo 0 >/proc/sys/user/max_net_namespaces; echo 9 >/proc/sys/user/max_net_namespaces
             nsproxy explain --unshare -n'",
        )],
    },
    Row {
        name: "nested too deep",
        failure: Refused(Reason::Nested),
        target: Target::default,
        typed: "n=33; command='nsproxy explain --unshare -U'
                while [ $n -gt 0 ]; do command=\"nsproxy unshare -r $command\"; n=$((n-1)); done
                $command",
        prints: "namespaces of this kind are nested too deep",
        hints: &[],
    },
    Row {
        name: "a chroot",
        failure: Refused(Reason::Chrooted),
        target: Target::default,
        typed: "mkdir -p /run/root; mount -o rbind / /run/root
                chroot /run/root nsproxy explain --unshare -U
                status=$?; umount -l /run/root; exit $status",
        prints: "the caller's root directory is not the root of its mount namespace",
        hints: &[Hint(
            "call it outside of the chroot, or enter the directory with pivot_root(2) instead",
            "nsproxy explain --unshare -U",
        )],
    },
    Row {
        name: "no id in the user namespace",
        failure: Refused(Reason::Unmapped),
        target: Target::default,
        typed: "nsproxy unshare -U nsproxy explain --unshare -U",
        prints: "the caller's user or group has no id in its user namespace",
        hints: &[Hint(
            "write the maps of the user namespace first: uid_map and gid_map",
            "nsproxy unshare -r nsproxy explain --unshare -U",
        )],
    },
    Row {
        name: "a pid namespace for children",
        failure: Refused(Reason::PidForChildren),
        target: Target::default,
        typed: "/usr/bin/unshare -p nsproxy explain --unshare -p",
        prints: "an earlier call has set another pid namespace for the caller's children",
        hints: &[Hint(
            "make the call from a child made by fork(2)",
            "/usr/bin/unshare -p -f nsproxy explain --unshare -p",
        )],
    },
    Row {
        name: "a pid namespace of another owner",
        failure: Refused(Reason::PidOwner),
        target: Target::in_all_new,
        typed: "nsproxy setns -t $t -p nsproxy explain --unshare -p",
        prints: "is not the caller's user namespace or above it",
        hints: &[Hint(
            "enter the user namespace that owns the caller's pid namespace, or one below it",
            "nsproxy setns -t $t -U -p nsproxy explain --unshare -p",
        )],
    },
    Row {
        name: "flags that unshare does not know",
        failure: Refused(Reason::UnshareFlags),
        target: Target::default,
        typed: "nsproxy explain --unshare=CLONE_IO -n",
        prints: "the flags have bits that unshare(2) does not know",
        hints: &[],
    },
    Row {
        name: "flags that require others",
        failure: Refused(Reason::CloneFlags),
        target: Target::default,
        typed: "nsproxy explain --clone=CLONE_SIGHAND -n",
        prints: "they exclude or require each other",
        hints: &[],
    },
    Row {
        name: "a shared root in another user namespace",
        failure: Refused(Reason::CloneFs),
        target: Target::default,
        typed: "nsproxy explain --clone='CLONE_NEWUSER|CLONE_FS|SIGCHLD'",
        prints: "cannot share root and working directory (CLONE_FS)",
        hints: &[Hint(
            "omit CLONE_FS",
            "nsproxy explain --clone='CLONE_NEWUSER|SIGCHLD'",
        )],
    },
    Row {
        name: "a sibling of an init",
        failure: Refused(Reason::CloneParent),
        target: Target::default,
        typed: "/usr/bin/unshare -p -f nsproxy explain --clone=CLONE_PARENT -n",
        prints: "which cannot have siblings (CLONE_PARENT)",
        hints: &[Hint(
            "omit CLONE_PARENT",
            "/usr/bin/unshare -p -f nsproxy explain --clone -n",
        )],
    },
    Row {
        name: "a thread in another user namespace",
        failure: Refused(Reason::CloneThread),
        target: Target::default,
        typed: "nsproxy explain --clone='CLONE_VM|CLONE_SIGHAND|CLONE_THREAD' -U",
        prints: "the threads of a process are in one user namespace",
        hints: &[Hint(
            "omit CLONE_THREAD",
            "nsproxy explain --clone='CLONE_VM|CLONE_SIGHAND' -U",
        )],
    },
    Row {
        name: "semaphore undos in another ipc namespace",
        failure: Refused(Reason::CloneSysvsem),
        target: Target::default,
        typed: "nsproxy explain --clone=CLONE_SYSVSEM -i",
        prints: "cannot share semaphore undos (CLONE_SYSVSEM)",
        hints: &[Hint("omit CLONE_SYSVSEM", "nsproxy explain --clone -i")],
    },
];

/// Returns where a check is tested that `nsproxy explain` cannot fail.
fn elsewhere(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::BadFd | Reason::NoFlags | Reason::UnknownFlags | Reason::Reaped => {
            "it makes no such call: the suite errno"
        }
        Reason::Threads | Reason::MmShared => {
            "it has no threads and, since execve(2), memory of its own: the suites errno and labs"
        }
        Reason::NoNsProxy | Reason::NoCred | Reason::NoFs | Reason::Ucounts | Reason::Root => {
            "only a shortage of memory causes it: the suite faults"
        }
        Reason::Unsupported | Reason::NoPidNs | Reason::Anonymous => {
            "no test can cause it: see the suite errno"
        }
        Reason::UnshareThreads | Reason::SighandShared | Reason::VmShared => {
            "it has no threads and, since execve(2), memory of its own: the suite unshare"
        }
        Reason::NoFiles | Reason::NewUcounts | Reason::NoNewNs => {
            "only a shortage of memory causes it: the suite faults"
        }
        Reason::Lsm => "no test can cause it: see the suite unshare",
        _ => return None,
    })
}

/// Commands about a thread in the initial uts namespace, whose process is in another one.
const THREAD: &[(&str, &str)] = &[
    ("nsproxy explain -t $tid -u", "can be entered"),
    ("nsproxy check -t $tid -u && echo ok", "ok"),
    ("nsproxy show -t $tid | grep ^uts", "4026531838"),
    (
        "nsproxy show -t $t | grep ^uts | grep 4026531838 || echo another",
        "another",
    ),
    ("nsproxy trace --dry-run -t $tid -u", "would succeed"),
    (
        "nsproxy setns -t $tid -u readlink /proc/self/ns/uts",
        "uts:[4026531838]",
    ),
    // -a includes the uts namespace, so it leaves that of the process.
    (
        "nsproxy setns -t $t -u nsproxy setns -t $tid -a readlink /proc/self/ns/uts",
        "uts:[4026531838]",
    ),
];

/// Commands in new namespaces. `qemu/init` writes `/etc/subuid`.
const UNSHARE: &[(&str, &str)] = &[
    (
        "ip link add dummy7 type dummy; nsproxy unshare -n ip -o link | grep dummy7 || echo new
         ip link del dummy7",
        "new\n",
    ),
    ("nsproxy unshare -p sh -c 'echo pid $$'", "pid 1\n"),
    (
        "nsproxy unshare -m mount -t tmpfs none /mnt && ! mount | grep /mnt && echo private",
        "private\n",
    ),
    (
        "nsproxy unshare -r sh -c 'id -u; echo $(cat /proc/self/uid_map)'",
        "0\n0 0 1\n",
    ),
    (
        user!(
            "1000",
            "+dac_override",
            "nsproxy unshare -c sh -c 'echo map $(cat /proc/self/uid_map)'"
        ),
        "map 1000 1000 1\n",
    ),
    (
        user!(
            "1000",
            "+dac_override",
            "nsproxy unshare -r sh -c 'echo map $(cat /proc/self/uid_map)'"
        ),
        "map 0 1000 1\n",
    ),
    (
        "nsproxy unshare --map-auto sh -c 'echo $(cat /proc/self/uid_map /proc/self/gid_map)'",
        "0 100000 65536 0 200000 65536\n",
    ),
    (
        "nsproxy unshare -r --map-auto sh -c 'echo $(cat /proc/self/uid_map)'",
        "0 0 1 1 100000 65536\n",
    ),
    (
        user!(
            "1000",
            "+dac_override",
            "nsproxy unshare --map-auto true && exit 1; true"
        ),
        "--map-auto: no ids for this user in /etc/subuid\n  hint: usermod --add-subuids",
    ),
    ("nsproxy unshare 2>&1; echo status $?", "status 2\n"),
    (
        "nsproxy unshare -u sh -c 'exit 7'; echo status $?",
        "status 7\n",
    ),
    (
        "nsproxy unshare -u --via syscall hostname inside; hostname",
        "guest\n",
    ),
];

pub(super) fn by_module() -> Vec<Test> {
    let mut tests: Vec<_> = ROWS
        .iter()
        .map(|row| {
            Test::new(format!("nsproxy: {}", row.name), |fixtures| {
                check(row, str::to_owned, fixtures)
            })
        })
        .collect();
    tests.push(Test::new("nsproxy: each check is named", |_| {
        for reason in Reason::ALL {
            let is_of = |row: &&Row| matches!(row.failure, Refused(named) if named == *reason);
            let has_row = ROWS.iter().any(|row| is_of(&row));
            let is_elsewhere = elsewhere(*reason).is_some();
            ensure!(
                has_row != is_elsewhere,
                "{}: has a row: {has_row}, and elsewhere: {is_elsewhere}",
                reason.name()
            );
        }
        Ok(())
    }));
    tests.push(Test::new("nsproxy: a thread", |fixtures| {
        let steps = [Setup::Thread, Setup::Unshare(Kind::Uts.flag())];
        let target = fixtures.target(&Target::new(steps))?;
        for (command, prints) in THREAD {
            let typed = format!("tid=$(ls /proc/$t/task | grep -v \"^$t\\$\"); {command}");
            check_output(&typed, prints, target.pid)?;
        }
        Ok(())
    }));
    tests.push(Test::new("nsproxy unshare", |_| {
        UNSHARE
            .iter()
            .try_for_each(|(command, prints)| check_output(command, prints, 0))
    }));
    tests
}

/// Returns the tests that need no module.
pub(super) fn from_user_space() -> impl Iterator<Item = Test> {
    let rows = ROWS.iter().filter(|row| row.is_of_user_space());
    rows.map(|row| {
        let name = format!("nsproxy from user space: {}", row.name);
        Test::new(name, move |fixtures| check(row, without_module, fixtures))
    })
}

/// Runs a command, which must succeed and print a text.
fn check_output(command: &str, prints: &str, target: u32) -> Result<()> {
    let output = shell(command, target, "")?;
    let output_text = text(&output);
    ensure!(
        output.status.success() && output_text.contains(prints),
        "`{command}` ended with {} and printed\n{output_text}expected \"{prints}\"",
        output.status
    );
    Ok(())
}

/// Types the command of a row, which must print the failure and the hints, and follows the hints.
/// `variant` returns the form of a command in which it is typed.
fn check(row: &Row, variant: fn(&str) -> String, fixtures: &mut Fixtures) -> Result<()> {
    row.feature().map_or(Ok(()), Feature::require)?;
    let typed = variant(row.typed);
    let target = fixtures.target(&(row.target)())?.pid;
    let (errno, status, is_first) = match row.failure {
        Refused(reason) => {
            let errno = reason.errno().context("a check without an errno")?;
            (Code::from(errno).to_string(), 1, true)
        }
        Before(errno, status) => (errno.to_owned(), status, false),
    };
    let failing = Failing {
        command: &typed,
        errno: &errno,
        is_first,
        status,
        prints: row.prints,
    };
    let printed = failing.hints(target)?;
    let are_expected = printed.len() == row.hints.len()
        && printed
            .iter()
            .zip(row.hints)
            .all(|(printed, hint)| printed.starts_with(hint.0));
    ensure!(are_expected, "`{typed}` printed other hints: {printed:?}");
    for (printed, Hint(_, command)) in printed.iter().zip(row.hints) {
        follow(printed, &variant(command), target)?;
    }
    Ok(())
}
