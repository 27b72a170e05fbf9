// SPDX-License-Identifier: GPL-2.0-only

//! How sequences are made up: what comes how often, so that about half of the calls succeed and
//! each way to fail comes up, too.

use super::op::{Act, BORN, Cap, Cgroup, Dir, Handle, Link, Op, Pidfd, Pin, Proc, Source};
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

/// What the calls of a sequence are mostly made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    Files,
    Pidfds,
    Everything,
}

pub(super) const THEMES: [Theme; 3] = [Theme::Files, Theme::Pidfds, Theme::Everything];

impl Theme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Files => "namespace files",
            Self::Pidfds => "pidfds",
            Self::Everything => "everything",
        }
    }

    /// How often the one and the other.
    fn weights(self) -> (u32, u32) {
        match self {
            Self::Files => (1, 0),
            Self::Pidfds => (0, 1),
            Self::Everything => (1, 1),
        }
    }

    /// Sequences of this theme.
    pub(super) fn sequences(self) -> impl Strategy<Value = Vec<Op>> {
        let (files, pidfds) = self.weights();
        let op = prop_oneof![
            9 * files => setns_by_file(),
            9 * pidfds => setns_by_pidfd(),
            2 * files => open(),
            2 * pidfds => (number(Pidfd), number(Proc)).prop_map(|(f, p)| Op::OpenPidfd(f, p)),
            8 * (files + pidfds) => change(),
        ];
        vec(op, 1..=LENGTH)
    }
}

/// A number that is there, for what is numbered.
macro_rules! number {
    ($($name:ident)*) => {
        /// What has a number that is drawn.
        trait Numbered: std::fmt::Debug + Clone {
            const COUNT: u8;
        }
        $(
            impl Numbered for $name {
                const COUNT: u8 = $name::COUNT;
            }
        )*
    };
}

number! { Proc Handle Pidfd Pin Dir Cgroup }

fn number<T: Numbered>(of: fn(u8) -> T) -> impl Strategy<Value = T> {
    (0..T::COUNT).prop_map(of)
}

/// Someone who acts: mostly one of those that are there from the start.
fn actor() -> impl Strategy<Value = Proc> {
    prop_oneof![
        4 => (0..BORN).prop_map(Proc),
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

/// All that is not a call and opens nothing.
fn change() -> BoxedStrategy<Op> {
    prop_oneof![
        24 => by(unshare()),
        3 => by(Just(Act::MapRoot)),
        2 => by(Just(Act::BecomeUser)),
        2 => by(sample::select(&Cap::EVERY[..]).prop_map(Act::Drop)),
        1 => by(Just(Act::SecureBit)),
        3 => by(Just(Act::Thread)),
        1 => by(number(Dir).prop_map(Act::Chroot)),
        2 => by(number(Dir).prop_map(Act::Chdir)),
        6 => by(Just(Act::Raise)),
        3 => by((0_u8..4).prop_map(Act::Hostname)),
        6 => by((1_u8..100).prop_map(Act::Clocks)),
        3 => by(Just(Act::Mount)),
        16 => (actor(), number(Proc), sample::select(&[false, false, false, true][..]))
            .prop_map(|(proc, child, share_fs)| Op::Fork { proc, child, share_fs }),
        4 => number(Proc).prop_map(Op::Exit),
        2 => (number(Proc), number(Cgroup)).prop_map(|(proc, cgroup)| Op::Move(proc, cgroup)),
    ]
    .boxed()
}

fn by(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Op> {
    (actor(), act).prop_map(|(proc, act)| Op::Do(proc, act))
}

/// Operations on handles.
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

/// What does not come straight from a process.
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
    // A user namespace can only be entered if someone has made one below: some more of those.
    prop_oneof![
        4 => 0..LINKS.len() as u8,
        1 => Just(0),
    ]
    .prop_map(Link)
}

/// Mostly without a user namespace of one's own, from which there is no way back.
fn unshare() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => some_kinds(),
        1 => some_kinds().prop_map(|flags| flags | Kind::User.flag()),
        1 => Just(Kind::User.flag()),
    ]
    .prop_map(Act::Unshare)
}

/// One to three kinds, not the user namespace.
fn some_kinds() -> impl Strategy<Value = u32> + Clone {
    sample::subsequence(&Kind::ALL[1..], 1..=3).prop_map(|kinds| flags_of(&kinds))
}

/// One kind or more, up to so many.
fn kinds(most: usize) -> impl Strategy<Value = u32> + Clone {
    sample::subsequence(&Kind::ALL[..], 1..=most).prop_map(|kinds| flags_of(&kinds))
}
