// SPDX-License-Identifier: GPL-2.0-only

//! The generator of sequences. Its weights are chosen so that about half of the calls succeed, and
//! every error occurs.

use super::super::named_enum::named_enum;
use super::op::{
    Act, Cap, Cgroup, Dir, FIRST, FORK_FLAGS, Handle, Link, Numbered, Op, Pidfd, Pin, Proc, Source,
    UNSHARE_FLAGS,
};
use crate::{
    case::implementation::{Kind, all_kinds, flags_of},
    snapshot::LINKS,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof, sample,
    strategy::BoxedStrategy,
};

/// The most operations in a sequence.
const LENGTH: usize = 40;

named_enum! {
    /// The files that most calls of a sequence use.
    enum Theme {
        Files = "namespace files",
        Pidfds = "pidfds",
        Everything = "everything",
    }
}

impl Theme {
    /// Returns the weights of namespace files and of pidfds.
    fn weights(self) -> (u32, u32) {
        match self {
            Self::Files => (1, 0),
            Self::Pidfds => (0, 1),
            Self::Everything => (1, 1),
        }
    }

    /// Returns a strategy for sequences of this theme.
    pub(super) fn sequences(self) -> impl Strategy<Value = Vec<Op>> {
        let (files, pidfds) = self.weights();
        let op = prop_oneof![
            9 * files => setns_by_file(),
            9 * pidfds => setns_by_pidfd(),
            2 * files => open(),
            2 * pidfds => (number(Pidfd), number(Proc)).prop_map(|(f, p)| Op::OpenPidfd(f, p)),
            8 * (files + pidfds) => change(),
        ];
        (served(), vec(op, 1..=LENGTH)).prop_map(|(served, ops)| [served, ops].concat())
    }
}

/// Draws which of the first processes are served from the start.
fn served() -> impl Strategy<Value = Vec<Op>> {
    let first: Vec<_> = (0..FIRST)
        .map(|proc| Op::Do(Proc(proc), Act::Serve(true)))
        .collect();
    sample::subsequence(first, 0..=usize::from(FIRST))
}

fn number<T: Numbered>(of: fn(u8) -> T) -> impl Strategy<Value = T> {
    (0..T::COUNT).prop_map(of)
}

/// Draws a process: usually one of the first ones.
fn actor() -> impl Strategy<Value = Proc> {
    prop_oneof![
        4 => (0..FIRST).prop_map(Proc),
        1 => number(Proc),
    ]
}

/// Draws the slot of a new process: usually one that is free at the start.
fn child() -> impl Strategy<Value = Proc> {
    prop_oneof![
        3 => (FIRST..Proc::COUNT).prop_map(Proc),
        1 => number(Proc),
    ]
}

fn setns_by_file() -> BoxedStrategy<Op> {
    let nstype = prop_oneof![
        6 => Just(None),
        1 => sample::select(&Kind::ALL[..]).prop_map(|kind| Some(kind.flag())),
    ];
    let by_link =
        (actor(), link(), any::<bool>(), nstype.clone()).prop_map(|(of, link, right, other)| {
            let right = if right { link.kind().flag() } else { 0 };
            (Source::Link(of, link), other.unwrap_or(right))
        });
    let by_other = (kept(), nstype).prop_map(|(to, nstype)| (to, nstype.unwrap_or(0)));
    let to = prop_oneof![
        6 => by_link,
        3 => by_other,
    ];
    (actor(), to)
        .prop_map(|(proc, (to, nstype))| Op::Setns { proc, to, nstype })
        .boxed()
}

fn setns_by_pidfd() -> BoxedStrategy<Op> {
    let to = prop_oneof![
        6 => actor().prop_map(Source::Process),
        2 => number(Pidfd).prop_map(Source::Pidfd),
    ];
    let nstype = prop_oneof![
        12 => some_kinds(),
        2 => Just(Kind::User.flag()),
        4 => kinds(Kind::ALL.len()),
        1 => Just(all_kinds()),
        1 => Just(0),
    ];
    (actor(), to, nstype)
        .prop_map(|(proc, to, nstype)| Op::Setns { proc, to, nstype })
        .boxed()
}

/// Draws an operation that changes the state of a process.
fn change() -> BoxedStrategy<Op> {
    prop_oneof![
        24 => by(flags(UNSHARE_FLAGS).prop_map(Act::Unshare)),
        10 => by(Just(Act::Execute)),
        3 => by(any::<bool>().prop_map(Act::Serve)),
        3 => by(Just(Act::MapRoot)),
        2 => by(Just(Act::BecomeUser)),
        2 => by(sample::select(&Cap::ALL[..]).prop_map(Act::Drop)),
        1 => by(Just(Act::SecureBit)),
        3 => by(Just(Act::Thread)),
        1 => by(number(Dir).prop_map(Act::Chroot)),
        2 => by(number(Dir).prop_map(Act::Chdir)),
        6 => by(Just(Act::Raise)),
        3 => by((0_u8..4).prop_map(Act::Hostname)),
        6 => by((1_u8..100).prop_map(Act::Clocks)),
        3 => by(Just(Act::Mount)),
        3 => by(Just(Act::Keep)),
        4 => by(Just(Act::Limit)),
        24 => (actor(), child(), fork_flags())
            .prop_map(|(proc, child, flags)| Op::Fork { proc, child, flags }),
        4 => number(Proc).prop_map(Op::Exit),
        2 => (number(Proc), number(Cgroup)).prop_map(|(proc, cgroup)| Op::Move(proc, cgroup)),
    ]
    .boxed()
}

fn by(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Op> {
    (actor(), act).prop_map(|(proc, act)| Op::Do(proc, act))
}

/// Draws an operation on a handle.
fn open() -> BoxedStrategy<Op> {
    let source = prop_oneof![
        5 => (actor(), link()).prop_map(|(proc, link)| Source::Link(proc, link)),
        2 => kept(),
    ];
    prop_oneof![
        6 => (number(Handle), source).prop_map(|(handle, source)| Op::Open(handle, source)),
        1 => number(Handle).prop_map(Op::Close),
        2 => (number(Handle), number(Pin)).prop_map(|(handle, pin)| Op::Pin(handle, pin)),
        1 => number(Pin).prop_map(Op::Unpin),
    ]
    .boxed()
}

/// Draws a file that is not directly of a process.
fn kept() -> impl Strategy<Value = Source> {
    prop_oneof![
        6 => number(Handle).prop_map(Source::Handle),
        1 => number(Handle).prop_map(Source::Owner),
        1 => number(Handle).prop_map(Source::Parent),
        2 => number(Pin).prop_map(Source::Pin),
        1 => number(Proc).prop_map(Source::Directory),
        1 => Just(Source::Closed),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    // More user namespaces (link 0): they can only be entered from one that is above.
    prop_oneof![
        4 => 0..LINKS.len() as u8,
        1 => Just(0),
    ]
    .prop_map(Link)
}

/// Draws the flags of a fork.
fn fork_flags() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        3 => flags(FORK_FLAGS),
        2 => kinds(Kind::ALL.len()).prop_map(u64::from),
        // Sharing, which the calls after it undo or are refused for.
        2 => sample::select(FORK_FLAGS).prop_map(|(_, flag)| flag),
    ]
}

/// Draws flags of a call that creates namespaces: kinds, and sometimes others. Rarely with user,
/// since a process cannot return from a new user namespace.
fn flags(others: &'static [(&str, u64)]) -> impl Strategy<Value = u64> {
    let kinds = prop_oneof![
        12 => some_kinds(),
        2 => some_kinds().prop_map(|flags| flags | Kind::User.flag()),
        2 => Just(Kind::User.flag()),
        1 => Just(0),
    ];
    let others = prop_oneof![
        3 => Just(0),
        3 => sample::select(FORK_FLAGS).prop_map(|(_, flag)| flag),
        1 => sample::select(others).prop_map(|(_, flag)| flag),
    ];
    (kinds, others).prop_map(|(kinds, others)| u64::from(kinds) | others)
}

/// Draws one to three kinds other than user.
fn some_kinds() -> impl Strategy<Value = u32> + Clone {
    sample::subsequence(&Kind::ALL[1..], 1..=3).prop_map(|kinds| flags_of(&kinds))
}

/// Draws 1 to `most` kinds.
fn kinds(most: usize) -> impl Strategy<Value = u32> + Clone {
    sample::subsequence(&Kind::ALL[..], 1..=most).prop_map(|kinds| flags_of(&kinds))
}
