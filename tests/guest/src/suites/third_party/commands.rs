// SPDX-License-Identifier: GPL-2.0-only

//! Commands of util-linux and iproute2. What is run where they lead is `nsproxy-tests look`, so
//! that all that can be seen there is compared.

use super::{Bench, Ran, Side};
use crate::{
    ktap::Test,
    via::{self, Kind},
    world::{self, Process, Target, World},
};
use Outcome::{Enters, NeverAsks, Refused};
use anyhow::Result;
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Commands that are run one after the other, whatever comes of each, and what does.
///
/// Words of them that stand for others: `TARGET`, the pid of a process in new namespaces of all
/// kinds, which root made; `MINE`, the same, made by user 1000; `USER`, to be user 1000; `look`,
/// what is described above.
struct Row(Outcome, &'static [&'static str]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Namespaces are entered, and all commands succeed.
    Enters,
    /// setns is called, and what it says is an error in the end.
    Refused,
    /// setns is not called: for what is wrong, or is wanted, it need not be.
    NeverAsks,
}

const USER: &str = "setpriv --reuid 1000 --regid 1000 --clear-groups";

/// By program, for the report.
const TABLE: &[(&str, &[Row])] = &[("nsenter", NSENTER), ("unshare", UNSHARE), ("ip", IP)];

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

pub(crate) fn tests(bench: &Rc<Bench>) -> Vec<Test> {
    let rows = TABLE
        .iter()
        .flat_map(|(program, rows)| rows.iter().map(move |row| (*program, row)));
    rows.map(|(program, row)| {
        let bench = bench.clone();
        Test::new(row.name(), move |world| row.test(program, &bench, world))
    })
    .collect()
}

impl Row {
    fn name(&self) -> String {
        self.1.join("; ")
    }

    fn test(&self, program: &str, bench: &Bench, world: &mut World) -> Result<()> {
        let targets = Targets::of(world)?;
        let [reference, subject] = {
            let mut sides = Vec::new();
            for side in Side::BOTH {
                let commands = self.1.iter();
                let ran: Result<Vec<_>> = commands
                    .map(|command| bench.run(side, &targets.words(command), &world.clocks))
                    .collect();
                sides.push(ran?);
            }
            <[Vec<Ran>; 2]>::try_from(sides).expect("there are two")
        };
        let statuses = |ran: &[Ran]| -> String {
            let statuses: Vec<_> = ran.iter().map(|ran| ran.status.replace(' ', "")).collect();
            statuses.join(",")
        };
        bench.record(
            &format!("{program}.{}", self.name()),
            &statuses(&reference),
            &statuses(&subject),
        )?;

        let mut wrong = Vec::new();
        self.judge("setns(2)", &reference, &mut wrong);
        self.judge("the module", &subject, &mut wrong);
        self.judge_calls(&subject, &mut wrong);
        let unasked: u64 = reference.iter().map(|ran| ran.calls).sum();
        if unasked > 0 {
            wrong.push(format!("{unasked} calls were served that were setns(2)'s"));
        }
        let known = targets.namespaces(world);
        let mut names = [Names::new(&known), Names::new(&known)];
        for (i, command) in self.1.iter().enumerate() {
            let (reference, subject) = (&reference[i], &subject[i]);
            let what = |what| format!("{command}: {what}");
            if reference.status != subject.status {
                // What they print then is different in many ways, of one reason.
                let (left, right) = (&reference.status, &subject.status);
                compare(&what("status"), left, right, &mut wrong);
                continue;
            }
            let [left, right] = &mut names;
            for (name, reference, subject) in [
                ("stdout", &reference.stdout, &subject.stdout),
                ("stderr", &reference.stderr, &subject.stderr),
            ] {
                let (left, right) = (left.stable(reference), right.stable(subject));
                compare(&what(name), &left, &right, &mut wrong);
            }
        }
        if !wrong.is_empty() {
            for (command, ran) in self.1.iter().zip(&subject) {
                let words = targets.words(command).join(" ");
                wrong.push(format!("nsproxy serve {words}\n{ran}"));
            }
        }
        bench.judge(wrong)
    }

    /// A row that does not do what it is there for compares nothing.
    fn judge(&self, side: &str, ran: &[Ran], wrong: &mut Vec<String>) {
        let works = ran.iter().all(|ran| ran.status == "0");
        let wanted = match self.0 {
            Enters => true,
            Refused => false,
            // Either is fine.
            NeverAsks => return,
        };
        if works != wanted {
            let word = if works { "succeeds" } else { "fails" };
            wrong.push(format!("with {side} it {word}, expected {:?}", self.0));
        }
    }

    fn judge_calls(&self, ran: &[Ran], wrong: &mut Vec<String>) {
        let calls: u64 = ran.iter().map(|ran| ran.calls).sum();
        if (calls > 0) != (self.0 != NeverAsks) {
            wrong.push(format!("{calls} calls served, expected {:?}", self.0));
        }
    }
}

/// The two targets.
struct Targets {
    of_root: Rc<Process>,
    of_user: Rc<Process>,
}

impl Targets {
    fn of(world: &mut World) -> Result<Self> {
        Ok(Self {
            of_root: world.target(&Target::in_all_new())?,
            of_user: world.target(&Target::in_new(via::all_kinds()).of_user())?,
        })
    }

    /// A command's words.
    fn words(&self, command: &str) -> Vec<String> {
        command
            .replace("TARGET", &self.of_root.pid.to_string())
            .replace("MINE", &self.of_user.pid.to_string())
            .replace("USER", USER)
            .split(' ')
            .flat_map(|word| match word {
                "look" => vec!["nsproxy-tests", "look"],
                word => vec![word],
            })
            .map(str::to_owned)
            .collect()
    }

    /// The namespaces that are the same on both sides.
    fn namespaces(&self, world: &World) -> HashSet<u64> {
        let mut known: HashSet<_> = world.home.values().copied().collect();
        for kind in Kind::ALL {
            known.extend(self.of_root.link(kind.name()));
            known.extend(self.of_user.link(kind.name()));
        }
        known
    }
}

/// Names for what only one side can have: namespaces, and mounts in them, that were made on it.
struct Names<'a> {
    known: &'a HashSet<u64>,
    given: HashMap<String, usize>,
    next: usize,
}

impl<'a> Names<'a> {
    fn new(known: &'a HashSet<u64>) -> Self {
        Self {
            known,
            given: HashMap::new(),
            next: 1,
        }
    }

    /// The same text whatever their numbers are.
    fn stable(&mut self, text: &str) -> String {
        let is_new =
            |value: &str| world::inode(value).is_some_and(|inode| !self.known.contains(&inode));
        let pairs: Vec<_> = text.lines().map(|line| line.split_once(": ")).collect();
        let mounts_are_new = pairs
            .iter()
            .flatten()
            .any(|(key, value)| *key == "ns/mnt" && is_new(value));
        let named =
            |(key, value): (&str, &str)| is_new(value) || mounts_are_new && key.ends_with("/mount");
        let named: Vec<_> = pairs.iter().map(|pair| pair.is_some_and(named)).collect();
        let mut stable = String::new();
        let mut last = "";
        for ((line, pair), named) in text.lines().zip(pairs).zip(named) {
            let key = pair.map_or("", |(key, _)| key);
            if key <= last {
                self.look_anew();
            }
            last = key;
            stable += &match pair {
                Some((key, value)) if named => format!("{key}: new {}\n", self.of(value)),
                _ => format!("{line}\n"),
            };
        }
        stable
    }

    /// Another process looks. What `ip netns exec` makes for one, a mount namespace, is gone with
    /// it, and the next one's may have its number or not.
    fn look_anew(&mut self) {
        let is_of_one = |value: &str| value.starts_with("mnt:") || world::inode(value).is_none();
        self.given.retain(|value, _| !is_of_one(value));
    }

    fn of(&mut self, value: &str) -> usize {
        *self.given.entry(value.to_owned()).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// Line by line.
fn compare(what: &str, left: &str, right: &str, wrong: &mut Vec<String>) {
    let (mut left, mut right) = (left.lines(), right.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return,
            (left, right) if left == right => {}
            (left, right) => wrong.push(format!(
                "{what} differs (setns(2) / /dev/nsproxy): {} / {}",
                left.unwrap_or("nothing more"),
                right.unwrap_or("nothing more")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_side_have_names() {
        let known = HashSet::from([4026531840]);
        let text = |net, mount| {
            format!(
                "cwd/mount: {mount}\nns/mnt: mnt:[{net}]\nns/net: net:[4026531840]\n\
                 ns/pid: pid:[{net}]\nroot/mount: {mount}\n"
            )
        };
        let stable = |net, mount| Names::new(&known).stable(&text(net, mount));
        assert_eq!(stable(4026532001_u64, 77), stable(4026532002, 78));
        assert_ne!(stable(4026531840, 77), stable(4026531840, 78));
        assert_ne!(stable(4026531840, 77), stable(4026532001, 77));
    }

    #[test]
    fn a_mount_namespace_may_have_the_number_of_one_that_is_gone() {
        let known = HashSet::new();
        let looks = |mnts: [u64; 2], nets: [u64; 2]| -> String {
            let look = |(mnt, net)| format!("ns/mnt: mnt:[{mnt}]\nns/net: net:[{net}]\n");
            let text: String = mnts.into_iter().zip(nets).map(look).collect();
            Names::new(&known).stable(&text)
        };
        assert_eq!(looks([1, 1], [3, 4]), looks([1, 2], [3, 4]));
        assert_ne!(looks([1, 2], [3, 3]), looks([1, 2], [3, 4]));
    }

    #[test]
    fn rows_are_all_different() {
        let names: Vec<_> = TABLE
            .iter()
            .flat_map(|(_, rows)| *rows)
            .map(Row::name)
            .collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
