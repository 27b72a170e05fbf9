// SPDX-License-Identifier: GPL-2.0-only

//! The blocks of the matrix: axes, crossed. Every combination is a case, or impossible for a reason.

use super::super::{callers::Caller, named_enum::named_enum};
use super::axes::{CALLERS_OF_SETS, NsType, Relation, WAYS, other_files, way_is_closed, way_name};
use crate::{
    case::{
        Case, FdSource, Witnesses,
        implementation::{self, Kind},
    },
    process::setup::Setup,
};

/// A combination of values.
pub(super) enum Combination {
    /// A case to run, and its values on the axes.
    Case(Case, Values),
    /// The reason why the combination is impossible.
    Impossible(&'static str),
}

/// Values on axes.
pub(super) type Values = Vec<(Axis, &'static str)>;

named_enum! {
    /// An axis of the matrix.
    enum Axis {
        Kind = "kind",
        WayIn = "way-in",
        Target = "target",
        NsType = "nstype",
        File = "fd",
        Caller = "caller",
    }
}

/// Returns all combinations, always in the same order.
pub(super) fn all() -> impl Iterator<Item = Combination> {
    nsfs()
        .chain(ways())
        .chain(nstypes())
        .chain(pidfds())
        .chain(pidfd_sets())
        .chain(pidfd_nstypes())
        .chain(files())
}

/// Makes a combination for each caller.
fn by_each_caller(
    make: impl Fn(Caller) -> Combination + Clone,
) -> impl Iterator<Item = Combination> {
    Caller::of_setns().map(make)
}

/// Makes a case, unless the combination is impossible.
fn combine(
    name: &str,
    handle: Result<FdSource, &'static str>,
    of: Relation,
    nstype: i32,
    caller: Caller,
    mut values: Values,
) -> Combination {
    let handle = match handle {
        Ok(handle) => handle,
        Err(why) => return Combination::Impossible(why),
    };
    let mut steps = caller.setups();
    if of == Relation::Child {
        if caller == Caller::Chrooted {
            return Combination::Impossible("a chrooted process cannot create a user namespace");
        }
        steps.push(Setup::Child);
    }
    let is_owner = of == Relation::SiblingOfUser && caller == Caller::User;
    let caller = match is_owner {
        true => "owner of the target user namespace",
        false => caller.name(),
    };
    values.push((Axis::Caller, caller));
    let mut case = Case::new(format!("{name}: {caller}"), handle, nstype).caller(steps);
    case.target = of.target();
    Combination::Case(case, values)
}

/// Limits the witnesses of a case to a child. Other blocks have cases for the same namespaces with
/// all witnesses.
fn with_child_only(mut combination: Combination) -> Combination {
    if let Combination::Case(case, _) = &mut combination {
        case.witnesses = Witnesses::Child;
    }
    combination
}

/// Crosses kind x target x caller, by the file in `/proc`.
fn nsfs() -> impl Iterator<Item = Combination> {
    product(Kind::ALL, Relation::ALL)
        .filter(|(kind, of)| *of != Relation::Anonymous || *kind == Kind::Mnt)
        .flat_map(|(kind, of)| {
            let name = format!("{} of {}", kind.name(), of.name());
            by_the_file(name, kind, of, NsType::Zero)
        })
}

/// Makes the cases of a file in `/proc`, for each caller.
fn by_the_file(
    name: String,
    kind: Kind,
    of: Relation,
    nstype: NsType,
) -> impl Iterator<Item = Combination> {
    let way = match of {
        Relation::Itself => "own /proc",
        _ => "another's /proc",
    };
    by_each_caller(move |caller| {
        let values = vec![
            (Axis::Kind, kind.name()),
            (Axis::WayIn, way),
            (Axis::Target, of.name()),
            (Axis::NsType, nstype.name()),
        ];
        let number = nstype.number(kind);
        combine(&name, of.nsfs(kind), of, number, caller, values)
    })
}

/// Crosses kind x path x target (of root, of a user) x caller, by other paths to a namespace.
fn ways() -> impl Iterator<Item = Combination> {
    product(Kind::ALL, WAYS)
        .flat_map(|(kind, way)| {
            [Relation::Sibling, Relation::SiblingOfUser]
                .map(move |of| (kind, way, of, NsType::Zero))
        })
        .flat_map(|(kind, way, of, nstype)| {
            by_each_caller(move |caller| {
                let name = format!("{} of {} by {}", kind.name(), of.name(), way_name(way));
                let values = vec![
                    (Axis::Kind, kind.name()),
                    (Axis::WayIn, way_name(way)),
                    (Axis::Target, of.name()),
                    (Axis::NsType, nstype.name()),
                ];
                let handle = match way_is_closed(way, kind) {
                    Some(why) => Err(why),
                    None => Ok(FdSource::TargetBy(way, kind)),
                };
                with_child_only(combine(
                    &name,
                    handle,
                    of,
                    nstype.number(kind),
                    caller,
                    values,
                ))
            })
        })
}

/// Crosses kind x nstype (other than 0) x caller.
fn nstypes() -> impl Iterator<Item = Combination> {
    Kind::ALL
        .into_iter()
        .flat_map(|kind| NsType::other_than_zero(kind).map(move |nstype| (kind, nstype)))
        .flat_map(|(kind, nstype)| {
            let name = format!("{}, nstype {}", kind.name(), nstype.name_in_full());
            by_the_file(name, kind, Relation::Sibling, nstype).map(with_child_only)
        })
}

/// Crosses kinds (each, and two sets) x target x caller, by pidfd.
fn pidfds() -> impl Iterator<Item = Combination> {
    let all = implementation::all_kinds();
    let sets = Kind::ALL
        .map(|kind| (kind.name(), kind.flag()))
        .into_iter()
        .chain([("all", all), ("all but user", all & !Kind::User.flag())]);
    sets.flat_map(|set| Relation::ALL.map(|of| (set, of)))
        // Every set of a sibling is below.
        .filter(|(_, of)| *of != Relation::Sibling)
        .flat_map(|((word, kinds), of)| {
            by_each_caller(move |caller| {
                let name = format!("pidfd of {}, {word}", of.name());
                let values = vec![
                    (Axis::Kind, word),
                    (Axis::WayIn, "pidfd"),
                    (Axis::Target, of.name()),
                    (Axis::NsType, "right"),
                ];
                combine(&name, of.pidfd(), of, kinds as i32, caller, values)
            })
        })
}

/// Crosses set of kinds x caller ([`CALLERS_OF_SETS`]), by pidfd.
fn pidfd_sets() -> impl Iterator<Item = Combination> {
    (1..1_u32 << Kind::ALL.len())
        .map(|bits| {
            let chosen = Kind::ALL.iter().enumerate();
            chosen
                .filter(|(i, _)| bits & 1 << i != 0)
                .fold(0, |kinds, (_, kind)| kinds | kind.flag())
        })
        .flat_map(|kinds| {
            CALLERS_OF_SETS.into_iter().map(move |caller| {
                let of = Relation::Sibling;
                let name = format!(
                    "pidfd of {}, {}",
                    of.name(),
                    implementation::kind_names(kinds)
                );
                let mut values: Values = implementation::kinds_of(kinds)
                    .map(|kind| (Axis::Kind, kind.name()))
                    .collect();
                values.extend([
                    (Axis::WayIn, "pidfd"),
                    (Axis::Target, of.name()),
                    (
                        Axis::NsType,
                        if kinds.count_ones() == 1 {
                            "right"
                        } else {
                            "several"
                        },
                    ),
                ]);
                with_child_only(combine(&name, of.pidfd(), of, kinds as i32, caller, values))
            })
        })
}

/// Crosses nstype (invalid for a pidfd) x target (alive, dead) x caller.
fn pidfd_nstypes() -> impl Iterator<Item = Combination> {
    let uts = Kind::Uts;
    product(
        [
            NsType::Zero,
            NsType::JunkOne,
            NsType::JunkCloneVm,
            NsType::JunkSign,
            NsType::MinusOne,
        ],
        [Relation::Sibling, Relation::Zombie, Relation::Reaped],
    )
    .flat_map(move |(nstype, of)| {
        by_each_caller(move |caller| {
            let name = format!("pidfd of {}, nstype {}", of.name(), nstype.name());
            let values = vec![
                (Axis::WayIn, "pidfd"),
                (Axis::Target, of.name()),
                (Axis::NsType, nstype.name()),
            ];
            combine(&name, of.pidfd(), of, nstype.number(uts), caller, values)
        })
    })
}

/// Crosses file (not a namespace) x nstype (some) x caller.
fn files() -> impl Iterator<Item = Combination> {
    let uts = Kind::Uts;
    other_files()
        .flat_map(move |file| NsType::SOME.map(move |nstype| (file, nstype)))
        .flat_map(move |((word, handle), nstype)| {
            by_each_caller(move |caller| {
                let name = format!("{word}, nstype {}", nstype.name());
                let values = vec![(Axis::File, word), (Axis::NsType, nstype.name())];
                let of = match handle {
                    FdSource::ProcDirectory => Relation::Sibling,
                    _ => Relation::Itself,
                };
                combine(&name, Ok(handle), of, nstype.number(uts), caller, values)
            })
        })
}

/// Returns the product of two axes.
fn product<A: Copy, B: Copy, const N: usize, const M: usize>(
    one: [A; N],
    other: [B; M],
) -> impl Iterator<Item = (A, B)> {
    one.into_iter()
        .flat_map(move |one| other.into_iter().map(move |other| (one, other)))
}
