// SPDX-License-Identifier: GPL-2.0-only

//! Which commands are run, and what must come of them.

use Outcome::{Enters, NeverAsks, Refused};

/// Commands that are run one after the other, whatever comes of each, and what does.
///
/// Words of them that stand for others: `TARGET`, the pid of a process in new namespaces of all
/// kinds, which root made; `MINE`, the same, made by user 1000; `USER`, to be user 1000; `PLUGIN`,
/// to be called as a plugin of CNI; `look`, a program that tells all that it sees there, see
/// [`commands`](super::commands); `@FILE`, the number of a descriptor of that file; `<FILE` and
/// `2>FILE`, at the end, that it is the command's standard input or error output.
pub(super) struct Row(pub(super) Outcome, pub(super) &'static [&'static str]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Namespaces are entered, and all commands succeed.
    Enters,
    /// setns is called, and what it says is an error in the end.
    Refused,
    /// setns is not called: for what is wrong, or is wanted, it need not be.
    NeverAsks,
}

pub(super) const USER: &str = "setpriv --reuid 1000 --regid 1000 --clear-groups";

/// What a plugin of CNI is told, whatever it is to do.
pub(super) const PLUGIN: &str = "env CNI_CONTAINERID=box CNI_IFNAME=lo CNI_PATH=/usr/bin";

/// By program, for the report.
pub(super) const TABLE: &[(&str, &[Row])] = &[
    ("nsenter", NSENTER),
    ("unshare", UNSHARE),
    ("ip", IP),
    ("strace", STRACE),
    ("bwrap", BWRAP),
    ("crun", CRUN),
    ("loopback", LOOPBACK),
];

const NSENTER: &[Row] = &[
    // Each kind, and several
    Row(Enters, &["nsenter -t TARGET -U look"]),
    Row(Enters, &["nsenter -t TARGET -m look"]),
    Row(Enters, &["nsenter -t TARGET -u look"]),
    Row(Enters, &["nsenter -t TARGET -i look"]),
    Row(Enters, &["nsenter -t TARGET -p look"]),
    Row(Enters, &["nsenter -t TARGET -C look"]),
    Row(Enters, &["nsenter -t TARGET -n look"]),
    Row(Enters, &["nsenter -t TARGET -T look"]),
    Row(Enters, &["nsenter -t TARGET --all look"]),
    Row(Enters, &["nsenter -t TARGET -m -u -i -p -C -n -T look"]),
    Row(Enters, &["nsenter -t TARGET -U -n look"]),
    Row(Enters, &["nsenter -t TARGET -U -m look"]),
    Row(Enters, &["nsenter -t TARGET -U -p -T look"]),
    Row(Enters, &["nsenter -t TARGET -p -F look"]),
    // By file
    Row(Enters, &["nsenter --uts=/proc/TARGET/ns/uts look"]),
    Row(Enters, &["nsenter --mount=/proc/TARGET/ns/mnt look"]),
    Row(
        Enters,
        &["nsenter --user=/proc/TARGET/ns/user --net=/proc/TARGET/ns/net look"],
    ),
    Row(
        Enters,
        &["nsenter --time=/proc/TARGET/ns/time_for_children look"],
    ),
    Row(
        Enters,
        &["nsenter --pid=/proc/TARGET/ns/pid_for_children look"],
    ),
    Row(Enters, &["nsenter --net=/proc/self/ns/net look"]),
    // Who one is there
    Row(
        Enters,
        &["nsenter -t TARGET -U --preserve-credentials look"],
    ),
    Row(Enters, &["nsenter -t TARGET -U -S 0 -G 0 look"]),
    Row(Enters, &["nsenter -t TARGET -n -S 1000 -G 1000 look"]),
    Row(Enters, &["nsenter -t TARGET -a -S 0 look"]),
    // Where one is there
    Row(Enters, &["nsenter -t TARGET -m -r look"]),
    Row(Enters, &["nsenter -t TARGET -m -w look"]),
    Row(Enters, &["nsenter -t TARGET -a -r -w look"]),
    Row(Enters, &["nsenter -t TARGET -m --wd=/proc look"]),
    Row(
        Enters,
        &["nsenter -t TARGET -m --wdns=/tmp/nsproxy-tests-mount look"],
    ),
    Row(NeverAsks, &["nsenter -t TARGET -r look"]),
    Row(NeverAsks, &["nsenter -t TARGET -w look"]),
    // Other programs there
    Row(Enters, &["nsenter -t TARGET -n ip link"]),
    Row(Enters, &["nsenter -t TARGET -u hostname"]),
    Row(Enters, &["nsenter -t TARGET -C cat /proc/self/cgroup"]),
    Row(
        Enters,
        &["nsenter -t TARGET -a cat /proc/self/timens_offsets"],
    ),
    // From there to elsewhere
    Row(Enters, &["nsenter -t TARGET -n nsenter -t 1 -u look"]),
    Row(Enters, &["nsenter -t TARGET -n -m nsenter -t 1 -n look"]),
    Row(Enters, &["nsenter -t TARGET -p nsenter -t TARGET -u look"]),
    Row(
        Enters,
        &["nsenter -t TARGET -m -u -i -n nsenter -t MINE -n look"],
    ),
    // As a user without rights
    Row(
        Enters,
        &["USER nsenter -t MINE -U --preserve-credentials look"],
    ),
    Row(
        Enters,
        &["USER nsenter -t MINE -a --preserve-credentials look"],
    ),
    Row(
        Enters,
        &["USER nsenter -t MINE -U -n --preserve-credentials ip link"],
    ),
    Row(
        Enters,
        &["USER unshare -U -r -n nsenter --net=/proc/self/ns/net look"],
    ),
    Row(
        Refused,
        &["USER unshare -U -r nsenter --net=/proc/self/ns/net look"],
    ),
    Row(Refused, &["USER nsenter -t MINE -n look"]),
    Row(Refused, &["USER nsenter -t MINE -m look"]),
    Row(Refused, &["USER nsenter -t MINE -p look"]),
    Row(Refused, &["USER nsenter --net=/proc/self/ns/net look"]),
    Row(NeverAsks, &["USER nsenter -t TARGET -n look"]),
    Row(
        Refused,
        &[
            "touch /run/ns",
            "mount --bind /proc/TARGET/ns/net /run/ns",
            "USER nsenter --net=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    // As root with fewer
    Row(
        Refused,
        &["setpriv --bounding-set -sys_admin nsenter -t TARGET -n look"],
    ),
    Row(
        Refused,
        &["setpriv --bounding-set -sys_admin nsenter -t TARGET -T look"],
    ),
    Row(
        Refused,
        &["setpriv --bounding-set -sys_chroot nsenter -t TARGET -m look"],
    ),
    Row(
        Enters,
        &["setpriv --bounding-set -sys_chroot nsenter -t TARGET -n look"],
    ),
    Row(
        Enters,
        &["setpriv --no-new-privs nsenter -t TARGET -n look"],
    ),
    Row(
        Enters,
        &["setpriv --securebits +noroot nsenter -t TARGET -U --preserve-credentials look"],
    ),
    // What is no namespace, or not that one
    Row(Refused, &["nsenter --net=/proc/TARGET/ns/uts look"]),
    Row(Refused, &["nsenter --mount=/proc/TARGET/ns/user look"]),
    Row(Refused, &["nsenter --uts=/proc/TARGET look"]),
    Row(Refused, &["nsenter --ipc=/dev/null look"]),
    Row(Refused, &["nsenter --user=/proc/self/ns/user look"]),
    Row(
        Refused,
        &["nsenter -t TARGET -p nsenter --pid=/proc/1/ns/pid look"],
    ),
    Row(NeverAsks, &["nsenter --uts=/nowhere look"]),
    Row(NeverAsks, &["nsenter -t 999999 -n look"]),
];

const UNSHARE: &[Row] = &[
    // Kept by a file, and entered by it
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --net=/run/ns ip link set lo up",
            "nsenter --net=/run/ns look",
            "nsenter --net=/run/ns ip link",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --uts=/run/ns hostname other",
            "nsenter --uts=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --ipc=/run/ns true",
            "nsenter --ipc=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --mount=/run/ns mount -t tmpfs tmpfs /root",
            "nsenter --mount=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --cgroup=/run/ns true",
            "nsenter --cgroup=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "mount --bind /proc/MINE/ns/user /run/ns",
            "nsenter --user=/run/ns --preserve-credentials look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Enters,
        &[
            "touch /run/ns",
            "unshare --time=/run/ns --monotonic 777 --fork true",
            "nsenter --time=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    // Its init is dead
    Row(
        Refused,
        &[
            "touch /run/ns",
            "unshare --pid=/run/ns --fork true",
            "nsenter --pid=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    // From new namespaces into those of others
    Row(Enters, &["unshare -n -u -i nsenter -t TARGET -n look"]),
    Row(
        Enters,
        &["unshare -m -p -f --mount-proc nsenter -t 1 -n look"],
    ),
    Row(
        Enters,
        &["unshare -m -u -i -n -C -T -f nsenter -t TARGET -a look"],
    ),
    Row(
        Enters,
        &["unshare --root=/ --wd=/tmp nsenter -t TARGET -m look"],
    ),
    Row(Refused, &["unshare -p -f nsenter -t TARGET -a look"]),
    Row(
        Refused,
        &[
            "touch /run/ns",
            "mount --bind /proc/TARGET/ns/net /run/ns",
            "unshare -U -r nsenter --net=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Refused,
        &[
            "touch /run/ns",
            "mount --bind /proc/MINE/ns/user /run/ns",
            "USER unshare -U -r nsenter --user=/run/ns look",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(NeverAsks, &["unshare -U -r nsenter -t TARGET -n look"]),
    Row(NeverAsks, &["unshare -U -r -m -u -i -n -p -f look"]),
];

const IP: &[Row] = &[
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip netns exec red look",
            "ip netns del red",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip -n red link set lo up",
            "ip -n red addr add 10.1.2.3/24 dev lo",
            "ip -n red addr",
            "ip netns exec red ip link",
            "ip netns del red",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip -n red link add dummy7 address 02:00:00:00:00:07 type dummy",
            "ip -n red link",
            "ip netns exec red look",
            "ip netns del red",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip netns add blue",
            "ip -all netns exec look",
            "ip -all netns exec ip link",
            "ip -all netns del",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns attach red TARGET",
            "ip netns identify TARGET",
            "ip netns exec red ip link",
            "ip netns exec red ip netns identify",
            "ip netns del red",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip netns set red 7",
            "ip netns list",
            "ip netns exec red nsenter -t TARGET -u look",
            "ip netns del red",
        ],
    ),
    Row(
        Enters,
        &[
            "ip netns add red",
            "ip netns exec red ip netns exec red look",
            "ip netns del red",
        ],
    ),
    Row(
        Refused,
        &[
            "ip netns add red",
            "USER ip netns exec red look",
            "USER ip -n red link",
            "ip netns del red",
        ],
    ),
    Row(
        NeverAsks,
        &["ip netns exec nowhere look", "ip -n nowhere link"],
    ),
];

/// What a tracer sees of the calls is compared, too.
const STRACE: &[Row] = &[
    Row(
        Enters,
        &["strace -e signal=none -e trace=setns nsenter -t TARGET -m -u -i -n look"],
    ),
    Row(
        Enters,
        &["strace -e signal=none -e trace=setns nsenter --net=/proc/TARGET/ns/net look"],
    ),
    Row(
        Refused,
        &["strace -e signal=none -e trace=setns nsenter --net=/proc/TARGET/ns/uts look"],
    ),
    Row(
        Refused,
        &["strace -e signal=none -e trace=setns USER nsenter --net=/proc/self/ns/net look"],
    ),
    // A tracer that answers itself
    Row(
        NeverAsks,
        &[
            "strace -e signal=none -e trace=setns -e inject=setns:error=EXFULL nsenter -t TARGET -n look",
        ],
    ),
    Row(
        NeverAsks,
        &[
            "strace -e signal=none -e trace=setns -e inject=setns:retval=0 nsenter -t TARGET -n look",
        ],
    ),
];

const BWRAP: &[Row] = &[
    Row(
        Enters,
        &["USER bwrap --userns @/proc/MINE/ns/user --bind / / look"],
    ),
    Row(
        Enters,
        &["bwrap --pidns @/proc/TARGET/ns/pid --bind / / --proc /proc look"],
    ),
    Row(
        Enters,
        &["bwrap --cap-add ALL --bind / / --unshare-net nsenter -t TARGET -u look"],
    ),
    Row(
        Refused,
        &["USER bwrap --userns @/proc/TARGET/ns/user --bind / / look"],
    ),
    Row(
        Refused,
        &["bwrap --pidns @/proc/TARGET/ns/net --bind / / look"],
    ),
    Row(NeverAsks, &["USER bwrap --bind / / --unshare-all look"]),
];

/// Containers: see [`files`](super::files) for what is in them.
const CRUN: &[Row] = &[
    Row(
        Enters,
        &[
            "crun run --detach --bundle /run/box box",
            "crun exec box look",
            "crun exec box hostname",
            "crun exec --user 1000:1000 box look",
            "crun delete --force box",
        ],
    ),
    Row(
        Enters,
        &[
            "crun create --bundle /run/userbox box",
            "crun start box",
            "crun exec box look",
            "crun exec box cat /proc/self/uid_map",
            "crun delete --force box",
        ],
    ),
    // In the network of another, as those of a pod are
    Row(
        Enters,
        &[
            "touch /run/ns",
            "mount --bind /proc/TARGET/ns/net /run/ns",
            "crun run --detach --bundle /run/netbox box",
            "crun exec box ip link",
            "crun exec box look",
            "crun delete --force box",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
    Row(
        Refused,
        &[
            "touch /run/ns",
            "mount --bind /proc/TARGET/ns/uts /run/ns",
            // Whether it hears why its child failed, or only that it did, is a race of its own.
            "crun run --detach --bundle /run/netbox box 2>/dev/null",
            "umount /run/ns",
            "rm /run/ns",
        ],
    ),
];

/// A plugin of CNI, which is in Go: it locks one of its threads to the namespace that it enters.
const LOOPBACK: &[Row] = &[
    Row(
        Enters,
        &[
            "PLUGIN CNI_COMMAND=ADD CNI_NETNS=/proc/TARGET/ns/net loopback </run/cni.json",
            "nsenter -t TARGET -n ip addr",
            "PLUGIN CNI_COMMAND=DEL CNI_NETNS=/proc/TARGET/ns/net loopback </run/cni.json",
            "nsenter -t TARGET -n ip addr",
        ],
    ),
    Row(
        Refused,
        &["PLUGIN CNI_COMMAND=ADD CNI_NETNS=/proc/TARGET/ns/uts loopback </run/cni.json"],
    ),
];
