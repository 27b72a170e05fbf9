// SPDX-License-Identifier: GPL-2.0-only

//! A random call: its command, the place of its argument, and the content.

use super::super::named_enum::named_enum;
use super::fds::{FdEntry, FdKind, FdPool, Owner};
use crate::{
    case::implementation::{Kind, all_kinds},
    sys::{Arena, PAGE},
};
use fastrand::Rng;
use nsproxy_uapi::{clone_flags::UNSHARE_EMPTY_MNTNS, sys as uapi};
use std::{mem::offset_of, sync::atomic::AtomicU64};

/// The largest size that an ioctl number can encode.
pub(super) const MAX_SIZE: usize = (1 << 14) - 1;
pub(super) const SETNS_SIZE: usize = size_of::<uapi::nsproxy_setns>();
pub(super) const UNSHARE_SIZE: usize = size_of::<uapi::nsproxy_unshare>();
pub(super) const VERSION_SIZE: usize = size_of::<uapi::nsproxy_version>();
pub(super) const EXPLAIN_SIZE: usize = size_of::<uapi::nsproxy_explain>();
/// The size of its first version.
pub(super) const EXPLAIN_FIRST: usize = uapi::NSPROXY_EXPLAIN_SIZE_VER0 as usize;
/// The size of the inputs before the outputs. The fields of the journal come later.
pub(super) const EXPLAIN_INPUTS: usize = offset_of!(uapi::nsproxy_explain, error);
pub(super) const SHOW_SIZE: usize = size_of::<uapi::nsproxy_show>();
/// The size of its inputs.
pub(super) const SHOW_INPUTS: usize = offset_of!(uapi::nsproxy_show, count);
const RESERVED: usize = offset_of!(uapi::nsproxy_version, reserved);
const FD: usize = offset_of!(uapi::nsproxy_explain, fd);
pub(super) const NSTYPE: usize = offset_of!(uapi::nsproxy_explain, nstype);
const FLAGS: usize = offset_of!(uapi::nsproxy_explain, flags);
pub(super) const ERROR: usize = offset_of!(uapi::nsproxy_explain, error);
const JOURNAL: usize = offset_of!(uapi::nsproxy_explain, journal);
const ROOM: usize = offset_of!(uapi::nsproxy_explain, room);
const SHOW_FLAGS: usize = offset_of!(uapi::nsproxy_show, flags);
const SHOW_RESERVED: usize = offset_of!(uapi::nsproxy_show, reserved);

/// The number of lines that fit into [`journal`].
const LINES: usize = 64;

/// Returns the address of the memory for journals. All calls share it, and no test reads it.
fn journal() -> usize {
    static JOURNAL: [AtomicU64; LINES * size_of::<uapi::nsproxy_step>() / 8] =
        [const { AtomicU64::new(0) }; _];
    (&raw const JOURNAL).expose_provenance()
}

named_enum! {
    /// A command as the device decodes it, without the size.
    enum Command {
        Setns = "setns",
        Setns2011 = "setns2011",
        Unshare = "unshare",
        Version = "version",
        Serve = "serve",
        Explain = "explain",
        Show = "show",
        /// A number that the device does not know.
        Unknown = "unknown",
    }
}

impl Command {
    /// The number of commands that the device knows. They come first.
    const KNOWN: usize = Self::ALL.len() - 1;

    fn number(self) -> u32 {
        match self {
            Self::Setns => uapi::NSPROXY_SETNS,
            Self::Setns2011 => uapi::NSPROXY_SETNS_2011,
            Self::Unshare => uapi::NSPROXY_UNSHARE,
            Self::Version => uapi::NSPROXY_VERSION,
            Self::Serve => uapi::NSPROXY_SERVE,
            Self::Explain => uapi::NSPROXY_EXPLAIN,
            Self::Show => uapi::NSPROXY_SHOW,
            Self::Unknown => 0,
        }
    }

    /// Decodes a number: its direction, type and command must be known.
    pub(super) fn decode(number: u32) -> Self {
        let is = |command: &Self| (command.number() ^ number) & !(SIZE_MASK << SIZE_SHIFT) == 0;
        Self::ALL[..Self::KNOWN]
            .iter()
            .copied()
            .find(is)
            .unwrap_or(Self::Unknown)
    }
}

const SIZE_MASK: u32 = MAX_SIZE as u32;
const SIZE_SHIFT: u32 = 16;

/// Returns the size that an ioctl number encodes.
pub(super) fn size_of_command(number: u32) -> usize {
    (number >> SIZE_SHIFT & SIZE_MASK) as usize
}

fn with_size(number: u32, size: usize) -> u32 {
    number & !(SIZE_MASK << SIZE_SHIFT) | (size as u32) << SIZE_SHIFT
}

/// Numbers that the kernel handles for every file, before it calls a driver (`do_vfs_ioctl()`).
const VFS_IOCTLS: &[u32] = &[
    0x5421,
    0x5450,
    0x5451,
    0x5452,
    0x5460,
    0x541b,
    2,
    0xc004_5877,
    0xc004_5878,
    0xc020_660b,
    0x4004_9409,
    0x4020_940d,
    0xc018_9436,
    0x8008_6601,
    0x4008_6602,
    0x801c_581f,
    0x401c_5820,
    0x8011_1500,
    0x8081_1501,
];

/// Draws a number: a known one, one that is nearly right, or any.
fn number(rng: &mut Rng) -> u32 {
    let command = Command::ALL[rng.usize(..Command::KNOWN)];
    let number = command.number();
    let right = size_of_command(number);
    match rng.u32(..100) {
        0..60 => match command {
            Command::Version | Command::Explain if rng.bool() => {
                with_size(number, rng.usize(right..=MAX_SIZE))
            }
            _ => number,
        },
        60..72 => with_size(number, rng.usize(..=MAX_SIZE)),
        72..75 => with_size(number, (right + rng.usize(..3)).saturating_sub(1)),
        // Another command, direction or type; one bit; any.
        75..80 => number & !0xff | u32::from(rng.u8(..)),
        80..84 => number ^ (rng.u32(1..4) << 30),
        84..89 => number & !0xff00 | u32::from(rng.u8(..)) << 8,
        89..94 => number ^ 1 << rng.u32(..32),
        _ => rng.u32(..),
    }
}

/// The kind of memory that the argument is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All bytes can be read and written.
    Good,
    /// All bytes can be read.
    ReadOnly,
    /// Only so many bytes can be read and written.
    Short(usize),
    /// No byte can be accessed.
    Wild,
}

/// A call that `NSPROXY_EXPLAIN` makes, with its flags.
pub(super) enum Explained {
    Setns,
    Setns2011,
    Unshare(u64),
    Clone(u64),
}

/// A call of the device.
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) place: Place,
    pub(super) address: usize,
    /// The content, as far as it is in memory.
    pub(super) bytes: Vec<u8>,
    /// Index of the pool's entry, for the commands that take a file descriptor.
    pub(super) entry: usize,
    pub(super) nstype: i32,
    /// The flags, for the calls of unshare(2).
    pub(super) flags: u64,
}

impl Call {
    pub(super) fn random(rng: &mut Rng, pool: &FdPool, arena: &Arena) -> Self {
        let number = loop {
            let number = number(rng);
            if !VFS_IOCTLS.contains(&number) {
                break number;
            }
        };
        let size = size_of_command(number);
        let (mut place, mut address) = place(rng, arena, size);
        if Command::decode(number) == Command::Serve {
            // Its argument is not an address.
            (place, address) = (Place::Wild, serve_argument(rng, address));
        }
        let entry = any_entry(rng, &pool.entries);
        let nstype = nstype(rng, pool.entries[entry].kind);
        let flags = unshare_flags(rng);
        let fields = Fields {
            fd: pool.entries[entry].number,
            nstype,
            flags,
        };
        let mut bytes = content(rng, Command::decode(number), size, fields, arena);
        bytes.truncate(match place {
            Place::Good | Place::ReadOnly => size,
            Place::Short(n) => n,
            Place::Wild => 0,
        });
        Self {
            number,
            place,
            address,
            bytes,
            entry,
            nstype,
            flags,
        }
    }

    pub(super) fn command(&self) -> Command {
        Command::decode(self.number)
    }

    pub(super) fn size(&self) -> usize {
        size_of_command(self.number)
    }

    /// Returns whether a reserved field is set, in a struct that can be read.
    pub(super) fn reserved_is_set(&self) -> bool {
        let fields: &[usize] = match self.command() {
            Command::Show => &[SHOW_FLAGS, SHOW_RESERVED],
            _ => &[RESERVED],
        };
        let mut bytes = fields.iter().flat_map(|at| &self.bytes[*at..at + 4]);
        bytes.any(|byte| *byte != 0)
    }

    /// Returns whether `NSPROXY_EXPLAIN` has a journal that cannot be written, in a struct that can be
    /// read.
    pub(super) fn journal_is_unwritable(&self) -> bool {
        let (Some(at), Some(room)) = (
            self.bytes.get(JOURNAL..JOURNAL + 8),
            self.bytes.get(ROOM..ROOM + 4),
        ) else {
            return false;
        };
        room != [0; 4] && at != journal().to_ne_bytes()
    }

    /// Returns the call that `NSPROXY_EXPLAIN` makes, in a struct that can be read. Returns [`None`]
    /// if the flags are unknown or select no call.
    pub(super) fn explained(&self) -> Option<Explained> {
        let flags = u64::from(self.word(FD)) << u32::BITS | u64::from(self.word(NSTYPE));
        let is_dry_run = self.word(FLAGS) & uapi::NSPROXY_EXPLAIN_DRY_RUN != 0;
        match self.word(FLAGS) & !uapi::NSPROXY_EXPLAIN_DRY_RUN {
            0 => Some(Explained::Setns),
            uapi::NSPROXY_EXPLAIN_2011 => Some(Explained::Setns2011),
            uapi::NSPROXY_EXPLAIN_UNSHARE => Some(Explained::Unshare(flags)),
            uapi::NSPROXY_EXPLAIN_CLONE if is_dry_run => Some(Explained::Clone(flags)),
            _ => None,
        }
    }

    /// Returns a field of a struct that can be read.
    pub(super) fn word(&self, at: usize) -> u32 {
        word(&self.bytes, at)
    }

    /// Returns whether a byte after the first `known` ones is set, as far as they can be read.
    pub(super) fn tail_is_set(&self, known: usize) -> bool {
        let tail = self.bytes.get(known..).unwrap_or_default();
        tail.iter().any(|byte| *byte != 0)
    }
}

/// Returns a field of a struct.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes[at..at + 4].try_into();
    u32::from_ne_bytes(bytes.expect("four bytes"))
}

/// Draws the argument of `NSPROXY_SERVE`. Never `ON`: a served setns(2) is no reference.
fn serve_argument(rng: &mut Rng, address: usize) -> usize {
    match rng.u32(..4) {
        0 => uapi::NSPROXY_SERVE_OFF as usize,
        1 => uapi::NSPROXY_SERVE_QUERY as usize,
        2 => rng.usize(3..10),
        _ if address == uapi::NSPROXY_SERVE_ON as usize => usize::MAX,
        _ => address,
    }
}

fn place(rng: &mut Rng, arena: &Arena, size: usize) -> (Place, usize) {
    let writable = arena.writable();
    match rng.u32(..20) {
        0..12 => {
            let last = writable.end - size;
            (Place::Good, rng.usize(writable.start..=last))
        }
        // The last bytes before memory that cannot be accessed.
        12..15 => (Place::Good, writable.end - size),
        15 if size > 0 => {
            let n = rng.usize(..size);
            (Place::Short(n), writable.end - n)
        }
        16..18 if size <= PAGE => {
            let read_only = arena.read_only();
            let last = read_only.end - size;
            (Place::ReadOnly, rng.usize(read_only.start..=last))
        }
        _ => (Place::Wild, wild(rng, arena)),
    }
}

/// Draws an address at which no memory is mapped.
fn wild(rng: &mut Rng, arena: &Arena) -> usize {
    /// The start of the kernel's half of the address space, and the end of the program's.
    const KERNEL: usize = 0xffff_8000_0000_0000;
    const END: usize = 0x7fff_ffff_f000;
    match rng.u32(..10) {
        0 => 0,
        1 => rng.usize(..PAGE),
        2 => usize::MAX - rng.usize(..64),
        3 => KERNEL | rng.usize(..),
        4 => 0x8000_0000_0000_0000 | rng.usize(..1 << 40),
        5 => END + rng.usize(..PAGE),
        6 => arena.forbidden() + rng.usize(..PAGE / 2),
        7 => arena.read_only().end + rng.usize(..PAGE / 2),
        8 => 0xffff_ffff_8000_0000 + rng.usize(..1 << 28),
        _ => arena.hole() + rng.usize(..PAGE / 2),
    }
}

fn any_entry(rng: &mut Rng, entries: &[FdEntry]) -> usize {
    loop {
        let i = rng.usize(..entries.len());
        // Rarely: a caller in this namespace has lost its capabilities elsewhere.
        let last = entries[i].kind == FdKind::Namespace(Kind::User, Owner::Target);
        if !last || rng.u32(..8) == 0 {
            return i;
        }
    }
}

fn nstype(rng: &mut Rng, fd: FdKind) -> i32 {
    let any_kind = |rng: &mut Rng| Kind::ALL[rng.usize(..8)].flag();
    // Several kinds. Rarely with user, for the reason in any_entry().
    let several = |rng: &mut Rng| {
        let user = if rng.u32(..8) == 0 {
            0
        } else {
            Kind::User.flag()
        };
        rng.u32(..) & all_kinds() & !user
    };
    let flags = match rng.u32(..10) {
        0..6 => match fd {
            FdKind::Namespace(..) if rng.u32(..3) == 0 => 0,
            FdKind::Namespace(kind, _) => kind.flag(),
            _ if rng.bool() => any_kind(rng),
            _ => several(rng),
        },
        6 => several(rng),
        7 => any_kind(rng) | 1 << rng.u32(..32),
        8 => [0, u32::MAX, 1, 1 << 31][rng.usize(..4)],
        _ => rng.u32(..),
    };
    flags as i32
}

/// Flags of unshare(2) that are no kinds.
const OTHER_FLAGS: u64 = (libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SYSVSEM
    | libc::CLONE_THREAD
    | libc::CLONE_SIGHAND
    | libc::CLONE_VM) as u64
    | UNSHARE_EMPTY_MNTNS;

/// Returns the flags that unshare(2) knows.
pub(super) fn known_unshare_flags() -> u64 {
    u64::from(all_kinds()) | OTHER_FLAGS
}

/// How rarely a kind is drawn: those that take long to create, and those after which most calls fail.
const RARELY: [(Kind, u32); Kind::ALL.len()] = [
    (Kind::User, 64),
    (Kind::Mnt, 16),
    (Kind::Uts, 2),
    (Kind::Ipc, 16),
    (Kind::Pid, 16),
    (Kind::Cgroup, 2),
    (Kind::Net, 64),
    (Kind::Time, 3),
];

/// Draws flags of unshare(2).
pub(super) fn unshare_flags(rng: &mut Rng) -> u64 {
    let mut kinds = 0;
    for (kind, rarely) in RARELY {
        if rng.u32(..rarely) == 0 {
            kinds |= u64::from(kind.flag());
        }
    }
    match rng.u32(..10) {
        0..4 => kinds,
        4..6 => kinds | rng.u64(..) & OTHER_FLAGS & !UNSHARE_EMPTY_MNTNS,
        6 => rng.u64(..) & OTHER_FLAGS,
        7 => kinds | 1 << rng.u32(..64),
        8 => [u64::MAX, 1 << 63, 1 << 32, 0][rng.usize(..4)],
        _ => rng.u64(..),
    }
}

/// The inputs of commands that change namespaces.
struct Fields {
    fd: i32,
    nstype: i32,
    flags: u64,
}

fn content(rng: &mut Rng, command: Command, size: usize, fields: Fields, arena: &Arena) -> Vec<u8> {
    let Fields { fd, nstype, flags } = fields;
    let mut bytes = vec![0; size.max(SETNS_SIZE)];
    // Of an extensible struct, the part that is known and present.
    let known = size.min(match command {
        Command::Version => VERSION_SIZE,
        Command::Explain => EXPLAIN_SIZE,
        Command::Show => SHOW_SIZE,
        _ => size,
    });
    // Outputs may hold anything.
    match command {
        Command::Version => rng.fill(&mut bytes[..known]),
        Command::Explain if known >= EXPLAIN_FIRST => {
            rng.fill(&mut bytes[EXPLAIN_INPUTS..EXPLAIN_FIRST]);
        }
        Command::Show => rng.fill(&mut bytes[SHOW_INPUTS.min(known)..known]),
        _ => {}
    }
    if command == Command::Version {
        if known == VERSION_SIZE {
            bytes[RESERVED..RESERVED + 4].fill(0);
            if rng.u32(..4) == 0 {
                bytes[RESERVED + rng.usize(..4)] = 1 << rng.u32(..8);
            }
        }
    } else if command == Command::Show {
        bytes[..4].copy_from_slice(&fd.to_ne_bytes());
        for field in [SHOW_FLAGS, SHOW_RESERVED] {
            if known >= field + 4 {
                bytes[field..field + 4].fill(0);
                if rng.u32(..8) == 0 {
                    bytes[field + rng.usize(..4)] = 1 << rng.u32(..8);
                }
            }
        }
    } else if command == Command::Unshare {
        bytes[..8].copy_from_slice(&flags.to_ne_bytes());
    } else {
        bytes[..4].copy_from_slice(&fd.to_ne_bytes());
        bytes[4..8].copy_from_slice(&nstype.to_ne_bytes());
    }
    if command == Command::Explain && known == EXPLAIN_SIZE && rng.bool() {
        let (at, most) = match rng.u32(..3) {
            0 => (wild(rng, arena), u32::MAX),
            _ => (journal(), LINES as u32),
        };
        bytes[JOURNAL..JOURNAL + 8].copy_from_slice(&at.to_ne_bytes());
        bytes[ROOM..ROOM + 4].copy_from_slice(&rng.u32(0..=most).to_ne_bytes());
        rng.fill(&mut bytes[ROOM + 4..EXPLAIN_SIZE]);
    }
    if command == Command::Explain && known >= EXPLAIN_FIRST {
        // Always a dry run: the other commands switch.
        let path = [
            0,
            uapi::NSPROXY_EXPLAIN_2011,
            uapi::NSPROXY_EXPLAIN_UNSHARE,
            uapi::NSPROXY_EXPLAIN_CLONE,
        ][rng.usize(..4)];
        if [uapi::NSPROXY_EXPLAIN_UNSHARE, uapi::NSPROXY_EXPLAIN_CLONE].contains(&path) {
            bytes[FD..FD + 4].copy_from_slice(&((flags >> u32::BITS) as u32).to_ne_bytes());
            bytes[NSTYPE..NSTYPE + 4].copy_from_slice(&(flags as u32).to_ne_bytes());
        }
        let how = uapi::NSPROXY_EXPLAIN_DRY_RUN | path;
        bytes[FLAGS..FLAGS + 4].copy_from_slice(&how.to_ne_bytes());
        if rng.u32(..8) == 0 {
            bytes[FLAGS + rng.usize(..4)] |= 1 << rng.u32(..8);
        }
    }
    if size > known && rng.u32(..4) == 0 {
        bytes[rng.usize(known..size)] = rng.u8(1..);
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_decoded_with_any_size() {
        for command in &Command::ALL[..Command::KNOWN] {
            for size in [0, 8, 88, MAX_SIZE] {
                let number = with_size(command.number(), size);
                assert_eq!(
                    (Command::decode(number), size_of_command(number)),
                    (*command, size)
                );
            }
        }
    }

    #[test]
    fn a_command_is_decoded_by_all_other_bits() {
        for bit in (0..16).chain(30..32) {
            let other = uapi::NSPROXY_VERSION ^ 1 << bit;
            assert_eq!(Command::decode(other), Command::Unknown, "bit {bit}");
        }
        assert_eq!(Command::decode(0), Command::Unknown);
    }
}
