// SPDX-License-Identifier: GPL-2.0-only

//! The interface of the ioctls: valid arguments, and errors for invalid ones.

use super::module::stuck_page;
use crate::{
    case::{
        fixtures::Fixtures,
        implementation::{Device, Kind, all_kinds},
        target::{Target, links_of},
    },
    errno::{Code, outcome_name},
    report::ktap::Test,
    sys::{self, LastPage, PAGE},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use nsproxy_uapi::{Explain, Reason, sys as uapi};
use rustix::{
    io::Errno,
    time::{ClockId, clock_gettime},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    mem,
    os::fd::{AsFd as _, AsRawFd as _},
    thread,
    time::Duration,
};

/// The direction bits of an ioctl number: from and to the driver.
const IOC_READ: u32 = 2 << 30;
const IOC_WRITE: u32 = 1 << 30;
/// The maximum size in an ioctl number.
const MAX_SIZE: u32 = (1 << 14) - 1;

/// The sizes of the structs of the ABI.
const SETNS_SIZE: usize = mem::size_of::<uapi::nsproxy_setns>();
const VERSION_SIZE: usize = mem::size_of::<uapi::nsproxy_version>();
const EXPLAIN_SIZE: usize = mem::size_of::<uapi::nsproxy_explain>();
const EXPLAIN_FIRST: usize = uapi::NSPROXY_EXPLAIN_SIZE_VER0 as usize;
const SHOW_SIZE: usize = mem::size_of::<uapi::nsproxy_show>();

/// A command whose struct grows, with its current size.
type Growing = (&'static str, u32, usize);
const VERSION: Growing = ("VERSION", uapi::NSPROXY_VERSION, VERSION_SIZE);
const EXPLAIN: Growing = ("EXPLAIN", uapi::NSPROXY_EXPLAIN, EXPLAIN_SIZE);
const SHOW: Growing = ("SHOW", uapi::NSPROXY_SHOW, SHOW_SIZE);

/// Returns the size of the first version of the struct.
fn first_size((_, _, size): Growing) -> usize {
    if size == EXPLAIN_SIZE {
        EXPLAIN_FIRST
    } else {
        size
    }
}

/// The two commands that take a `struct nsproxy_setns`.
const SETNS: [(&str, u32); 2] = [
    ("SETNS", uapi::NSPROXY_SETNS),
    ("SETNS_2011", uapi::NSPROXY_SETNS_2011),
];

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    unknown_commands(&mut tests);
    setns_sizes(&mut tests);
    setns_pointers(&mut tests);
    unshare(&mut tests);
    for command in [VERSION, EXPLAIN, SHOW] {
        growing(&mut tests, command);
        written_pointers(&mut tests, command);
    }
    for (what, command, argument, makes_the_call) in UNDER_A_FILTER {
        tests.push(Test::new(
            format!(
                "under a seccomp filter {what} {}",
                if makes_the_call { "is EPERM" } else { "works" }
            ),
            move |_| under_a_filter(command, argument, makes_the_call),
        ));
    }
    version(&mut tests);
    explain(&mut tests);
    show(&mut tests);
    tests
}

/// Replaces the size in an ioctl number.
fn with_size(command: u32, size: u32) -> u32 {
    command & !(MAX_SIZE << 16) | size << 16
}

/// Makes a call that must not move the test.
fn ioctl(command: u32, address: usize) -> Result<Result<(), Code>> {
    let device = Device::open()?;
    let before = links_of("self");
    let fd = device.as_fd().as_raw_fd();
    let outcome = sys::ioctl(fd, command, address)
        .map(drop)
        .map_err(Code::from);
    ensure!(
        before == links_of("self"),
        "the test is in other namespaces"
    );
    Ok(outcome)
}

fn expect(command: u32, address: usize, expected: Result<(), Code>) -> Result<()> {
    let outcome = ioctl(command, address)?;
    ensure!(
        outcome == expected,
        "ioctl({command:#x}, {address:#x}) returned {}, expected {}",
        outcome_name(outcome),
        outcome_name(expected)
    );
    Ok(())
}

/// A valid `struct nsproxy_setns`, which refers to the test's own uts namespace.
struct Valid {
    _file: File,
    args: uapi::nsproxy_setns,
}

impl Valid {
    fn new() -> Result<Self> {
        let file = File::open("/proc/self/ns/uts")?;
        Ok(Self {
            args: uapi::nsproxy_setns {
                fd: file.as_raw_fd(),
                nstype: Kind::Uts.flag() as i32,
            },
            _file: file,
        })
    }

    fn address(&self) -> usize {
        (&raw const self.args).addr()
    }
}

fn unknown_commands(tests: &mut Vec<Test>) {
    let known = uapi::NSPROXY_SETNS;
    let mut unknown: Vec<(String, u32)> = (3..=0xff)
        .step_by(63)
        .chain([4, 5, 7, 8])
        .map(|nr| (format!("nr {nr:#x}"), known & !0xff | nr))
        .collect();
    unknown.extend([
        ("another magic".to_owned(), known ^ 0x100),
        ("magic 0".to_owned(), known & !0xff00),
        ("TCGETS".to_owned(), 0x5401),
        ("0".to_owned(), 0),
        ("all bits".to_owned(), u32::MAX),
        ("SETNS with both directions".to_owned(), known ^ IOC_READ),
        (
            "SETNS that only writes".to_owned(),
            known ^ (IOC_READ | IOC_WRITE),
        ),
        ("SETNS without a direction".to_owned(), known & !IOC_WRITE),
        (
            "VERSION that only reads".to_owned(),
            uapi::NSPROXY_VERSION ^ IOC_READ,
        ),
        (
            "VERSION that only writes".to_owned(),
            uapi::NSPROXY_VERSION ^ IOC_WRITE,
        ),
    ]);
    unknown.dedup_by_key(|(_, command)| *command);
    for (word, command) in unknown {
        tests.push(Test::new(
            format!("unknown command is ENOTTY: {word}"),
            move |_| expect(command, Valid::new()?.address(), Err(Code::ENOTTY)),
        ));
    }
}

fn setns_sizes(tests: &mut Vec<Test>) {
    for (name, command) in SETNS {
        let right = SETNS_SIZE as u32;
        tests.push(Test::new(
            format!("{name} of {right} bytes is taken"),
            move |_| expect(command, Valid::new()?.address(), Ok(())),
        ));
        for size in [0, 1, 4, right - 1, right + 1, 12, 16, 64, 4096, MAX_SIZE] {
            tests.push(Test::new(
                format!("{name} of {size} bytes is EINVAL"),
                move |_| {
                    expect(
                        with_size(command, size),
                        Valid::new()?.address(),
                        Err(Code::EINVAL),
                    )
                },
            ));
            tests.push(Test::new(
                format!("{name} of {size} bytes at NULL is EINVAL, not EFAULT"),
                move |_| expect(with_size(command, size), 0, Err(Code::EINVAL)),
            ));
        }
    }
}

fn unshare(tests: &mut Vec<Test>) {
    const UNSHARE: u32 = uapi::NSPROXY_UNSHARE;
    const SIZE: u32 = mem::size_of::<uapi::nsproxy_unshare>() as u32;
    let with_flags = |flags: u64, expected| {
        let args = uapi::nsproxy_unshare { flags };
        expect(UNSHARE, (&raw const args).addr(), expected)
    };
    tests.push(Test::new("UNSHARE without flags is taken", move |_| {
        with_flags(0, Ok(()))
    }));
    for bit in [32, 63] {
        tests.push(Test::new(
            format!("UNSHARE with bit {bit} is EINVAL"),
            move |_| with_flags(1 << bit, Err(Code::EINVAL)),
        ));
    }
    for size in [0, 1, 4, SIZE - 1, SIZE + 1, 16, 64, 4096, MAX_SIZE] {
        tests.push(Test::new(
            format!("UNSHARE of {size} bytes at NULL is EINVAL, not EFAULT"),
            move |_| expect(with_size(UNSHARE, size), 0, Err(Code::EINVAL)),
        ));
    }
    for address in [0, 1, usize::MAX, usize::MAX - 7] {
        tests.push(Test::new(
            format!("UNSHARE at {address:#x} is EFAULT"),
            move |_| expect(UNSHARE, address, Err(Code::EFAULT)),
        ));
    }
    tests.push(Test::new(
        "EXPLAIN makes one call, and clone only as a dry run",
        |_| {
            use uapi::{
                NSPROXY_EXPLAIN_2011 as OF_2011, NSPROXY_EXPLAIN_CLONE as CLONE,
                NSPROXY_EXPLAIN_DRY_RUN as DRY_RUN, NSPROXY_EXPLAIN_UNSHARE as UNSHARE,
            };
            let invalid = Err(Code::EINVAL);
            for (flags, expected) in [
                (UNSHARE, Ok(())),
                (UNSHARE | DRY_RUN, Ok(())),
                (CLONE | DRY_RUN, Ok(())),
                (CLONE, invalid),
                (CLONE | UNSHARE | DRY_RUN, invalid),
                (UNSHARE | OF_2011, invalid),
                (CLONE | OF_2011 | DRY_RUN, invalid),
                (CLONE << 1, invalid),
            ] {
                let mut args = uapi::nsproxy_explain {
                    flags,
                    ..Default::default()
                };
                expect(uapi::NSPROXY_EXPLAIN, (&raw mut args).addr(), expected)
                    .with_context(|| format!("flags {flags:#x}"))?;
            }
            Ok(())
        },
    ));
    tests.push(Test::new(
        "EXPLAIN of unshare and clone has the upper half of the flags in fd",
        |_| {
            for (call, reason) in [
                (uapi::NSPROXY_EXPLAIN_UNSHARE, Reason::UnshareFlags),
                (uapi::NSPROXY_EXPLAIN_CLONE, Reason::CloneFlags),
            ] {
                let mut args = uapi::nsproxy_explain {
                    fd: i32::MIN,
                    flags: call | uapi::NSPROXY_EXPLAIN_DRY_RUN,
                    ..Default::default()
                };
                expect(uapi::NSPROXY_EXPLAIN, (&raw mut args).addr(), Ok(()))?;
                let said = Reason::of(args.reason);
                ensure!(said == Some(reason), "reason {said:?}, expected {reason:?}");
            }
            Ok(())
        },
    ));
}

/// The argument of an ioctl.
#[derive(Clone, Copy)]
enum Argument {
    /// A struct with valid fields: its size, and its `flags` if it has any.
    Struct(usize, u32),
    /// The same for a call of unshare(2), whose other fields are 0.
    Zero(usize, u32),
    /// A number in place of a pointer.
    Number(u32),
}
use Argument::{Number, Struct, Zero};

/// The commands, each with `true` if it makes the call.
const UNDER_A_FILTER: [(&str, u32, Argument, bool); 11] = [
    ("SETNS", uapi::NSPROXY_SETNS, Struct(SETNS_SIZE, 0), true),
    ("UNSHARE", uapi::NSPROXY_UNSHARE, Zero(SETNS_SIZE, 0), true),
    (
        "EXPLAIN, of unshare,",
        uapi::NSPROXY_EXPLAIN,
        Zero(EXPLAIN_SIZE, uapi::NSPROXY_EXPLAIN_UNSHARE),
        true,
    ),
    (
        "EXPLAIN, of clone,",
        uapi::NSPROXY_EXPLAIN,
        Zero(
            EXPLAIN_SIZE,
            uapi::NSPROXY_EXPLAIN_CLONE | uapi::NSPROXY_EXPLAIN_DRY_RUN,
        ),
        true,
    ),
    (
        "SETNS_2011",
        uapi::NSPROXY_SETNS_2011,
        Struct(SETNS_SIZE, 0),
        true,
    ),
    (
        "EXPLAIN",
        uapi::NSPROXY_EXPLAIN,
        Struct(EXPLAIN_SIZE, 0),
        true,
    ),
    (
        "EXPLAIN, a dry run,",
        uapi::NSPROXY_EXPLAIN,
        Struct(EXPLAIN_SIZE, uapi::NSPROXY_EXPLAIN_DRY_RUN),
        true,
    ),
    ("SHOW", uapi::NSPROXY_SHOW, Struct(SHOW_SIZE, 0), false),
    (
        "VERSION",
        uapi::NSPROXY_VERSION,
        Struct(VERSION_SIZE, 0),
        false,
    ),
    (
        "SERVE, a query,",
        uapi::NSPROXY_SERVE,
        Number(uapi::NSPROXY_SERVE_QUERY),
        false,
    ),
    (
        "SERVE, off,",
        uapi::NSPROXY_SERVE,
        Number(uapi::NSPROXY_SERVE_OFF),
        false,
    ),
];

/// Compares a call by a thread under a filter that allows everything with one without a filter.
fn under_a_filter(command: u32, argument: Argument, makes_the_call: bool) -> Result<()> {
    let outcome = |is_filtered: bool| {
        let call = thread::spawn(move || -> Result<_> {
            let valid = Valid::new()?;
            if is_filtered {
                sys::seccomp_allow_all()?;
            }
            let mut bytes = match argument {
                Number(number) => return ioctl(command, number as usize),
                Struct(size, _) | Zero(size, _) => blank(command, size),
            };
            let fields = match argument {
                Struct(_, flags) => [valid.args.fd as u32, valid.args.nstype as u32, flags],
                Zero(_, flags) => [0, 0, flags],
                Number(_) => [0; 3],
            };
            if makes_the_call {
                for (to, field) in bytes.chunks_exact_mut(4).zip(fields) {
                    to.copy_from_slice(&field.to_ne_bytes());
                }
            }
            ioctl(command, bytes.as_mut_ptr().addr())
        });
        call.join().map_err(|_| anyhow!("the call panicked"))?
    };
    let (free, filtered) = (outcome(false)?, outcome(true)?);
    let expected = if makes_the_call {
        Err(Code::EPERM)
    } else {
        free
    };
    ensure!(
        (free.is_ok() || !makes_the_call) && filtered == expected,
        "without a filter {}, under one {}",
        outcome_name(free),
        outcome_name(filtered)
    );
    Ok(())
}

/// Addresses without memory of user space.
const NOWHERE: [(&str, usize); 5] = [
    ("NULL", 0),
    ("1", 1),
    ("a kernel address", 0xffff_8880_0000_0000),
    ("one that is not canonical", 0x8000_0000_0000_0000),
    ("the last one", usize::MAX),
];

fn setns_pointers(tests: &mut Vec<Test>) {
    for (name, command) in SETNS {
        for (what, address) in NOWHERE {
            tests.push(Test::new(
                format!("{name} at {what} is EFAULT"),
                move |_| expect(command, address, Err(Code::EFAULT)),
            ));
        }
        for (what, readable) in [("no", 0), ("one", 1), ("all but one", SETNS_SIZE - 1)] {
            tests.push(Test::new(
                format!("{name} with {what} readable bytes is EFAULT"),
                move |_| {
                    expect(
                        command,
                        LastPage::new()?.end() - readable,
                        Err(Code::EFAULT),
                    )
                },
            ));
        }
        tests.push(Test::new(
            format!("{name} at the very end of a page is taken"),
            move |_| {
                let page = LastPage::new()?;
                let valid = Valid::new()?;
                let bytes = [valid.args.fd.to_ne_bytes(), valid.args.nstype.to_ne_bytes()];
                page.fill_end(bytes.as_flattened());
                page.make_read_only()?;
                expect(command, page.end() - SETNS_SIZE, Ok(()))
            },
        ));
        tests.push(Test::new(
            format!("{name} at an odd address is taken"),
            move |_| {
                let page = LastPage::new()?;
                let valid = Valid::new()?;
                let mut bytes = valid.args.fd.to_ne_bytes().to_vec();
                bytes.extend(valid.args.nstype.to_ne_bytes());
                bytes.push(0xff);
                page.fill_end(&bytes);
                expect(command, page.end() - SETNS_SIZE - 1, Ok(()))
            },
        ));
    }
}

/// Returns a valid struct: zeroes, except for SHOW, where the fd -1 selects the caller.
fn blank(command: u32, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    if command == uapi::NSPROXY_SHOW {
        let fd = size.min(4);
        bytes[..fd].fill(0xff);
    }
    bytes
}

/// Calls a command with these bytes as its struct.
fn call_on(command: u32, bytes: &mut [u8]) -> Result<Result<(), Code>> {
    let command = with_size(command, bytes.len() as u32);
    ioctl(command, bytes.as_mut_ptr().addr())
}

fn growing(tests: &mut Vec<Test>, growing: Growing) {
    let (name, command, right) = growing;
    for size in [0, 4, 12, first_size(growing) - 1] {
        tests.push(Test::new(
            format!("{name} of {size} bytes, shorter than the first one, is EINVAL"),
            move |_| {
                let mut bytes = blank(command, PAGE);
                let outcome = call_on(command, &mut bytes[..size])?;
                ensure!(
                    outcome == Err(Code::EINVAL),
                    "returned {}",
                    outcome_name(outcome)
                );
                ensure!(bytes == blank(command, PAGE), "the struct was written");
                Ok(())
            },
        ));
    }
    for size in [right + 1, right + 8, 2 * PAGE, MAX_SIZE as usize] {
        tests.push(Test::new(
            format!("{name} of {size} bytes, the unknown ones zero, is filled in"),
            move |_| {
                let mut known = blank(command, right);
                call_on(command, &mut known)?.ok().context(name)?;
                let mut bytes = blank(command, size);
                let outcome = call_on(command, &mut bytes)?;
                ensure!(outcome.is_ok(), "returned {}", outcome_name(outcome));
                ensure!(
                    bytes[..right] == known,
                    "the known bytes differ from those of the right size"
                );
                ensure!(
                    bytes[right..].iter().all(|byte| *byte == 0),
                    "the unknown bytes were written"
                );
                Ok(())
            },
        ));
        for at in BTreeSet::from([right, size - 1]) {
            tests.push(Test::new(
                format!("{name} of {size} bytes, byte {at} set, is E2BIG"),
                move |_| {
                    let mut bytes = blank(command, size);
                    bytes[at] = 1;
                    let outcome = call_on(command, &mut bytes)?;
                    ensure!(
                        outcome == Err(Code::E2BIG),
                        "returned {}",
                        outcome_name(outcome)
                    );
                    ensure!(
                        bytes[..right] == blank(command, right),
                        "the struct was written"
                    );
                    Ok(())
                },
            ));
        }
    }
}

/// Checks EXPLAIN with the struct of a program for an older module.
fn shorter(_: &mut Fixtures) -> Result<()> {
    let (name, command, right) = EXPLAIN;
    let mut known = vec![0; right];
    call_on(command, &mut known)?.ok().context(name)?;
    for size in [EXPLAIN_FIRST, EXPLAIN_FIRST + 1, right - 1] {
        let mut bytes = vec![0; right];
        let outcome = call_on(command, &mut bytes[..size])?;
        ensure!(
            outcome.is_ok(),
            "{size} bytes: returned {}",
            outcome_name(outcome)
        );
        ensure!(bytes[..size] == known[..size], "{size} bytes: they differ");
        let beyond = &bytes[size..];
        ensure!(
            beyond.iter().all(|byte| *byte == 0),
            "{size} bytes: later bytes were written"
        );
    }
    Ok(())
}

/// Adds tests of invalid pointers, for commands that write to their struct.
fn written_pointers(tests: &mut Vec<Test>, (name, command, right): Growing) {
    for (what, address) in NOWHERE {
        tests.push(Test::new(
            format!("{name} at {what} is EFAULT"),
            move |_| expect(command, address, Err(Code::EFAULT)),
        ));
    }
    tests.push(Test::new(
        format!("{name} across the end of memory is EFAULT"),
        move |_| {
            let page = LastPage::new()?;
            expect(command, page.end() - right + 1, Err(Code::EFAULT))
        },
    ));
    tests.push(Test::new(
        format!("{name} in read-only memory is EFAULT"),
        move |_| {
            let page = LastPage::new()?;
            page.fill_end(&blank(command, right));
            page.make_read_only()?;
            expect(command, page.end() - right, Err(Code::EFAULT))
        },
    ));
}

/// Adds a test for each bit of a field, which must be refused.
fn bits_are_unknown(
    tests: &mut Vec<Test>,
    (name, command, size): Growing,
    (field, at): (&'static str, usize),
    bits: &[u32],
) {
    for &bit in bits {
        tests.push(Test::new(
            format!("{name} with bit {bit} of {field} is EINVAL"),
            move |_| {
                let mut bytes = blank(command, size);
                bytes[at..at + 4].copy_from_slice(&(1_u32 << bit).to_ne_bytes());
                let outcome = call_on(command, &mut bytes)?;
                ensure!(
                    outcome == Err(Code::EINVAL),
                    "returned {}",
                    outcome_name(outcome)
                );
                Ok(())
            },
        ));
    }
}

/// Checks that the result does not depend on the previous values of output fields.
fn does_not_read((_, command, size): Growing, inputs: &[usize]) -> Result<()> {
    let mut zero = blank(command, size);
    let mut junk = vec![0xff; size];
    for at in inputs {
        junk[*at..at + 4].fill(0);
    }
    for bytes in [&mut zero, &mut junk] {
        let outcome = call_on(command, bytes)?;
        ensure!(outcome.is_ok(), "returned {}", outcome_name(outcome));
    }
    ensure!(zero == junk, "the result depends on output fields");
    Ok(())
}

fn version(tests: &mut Vec<Test>) {
    let reserved = mem::offset_of!(uapi::nsproxy_version, reserved);
    tests.push(Test::new("VERSION is correct", version_is_correct));
    bits_are_unknown(tests, VERSION, ("the reserved field", reserved), &[0, 31]);
    tests.push(Test::new(
        "VERSION does not read its own output fields",
        move |_| does_not_read(VERSION, &[reserved]),
    ));
}

fn explain(tests: &mut Vec<Test>) {
    let flags = mem::offset_of!(uapi::nsproxy_explain, flags);
    bits_are_unknown(tests, EXPLAIN, ("the flags", flags), &[3, 4, 31]);
    tests.push(Test::new(
        "EXPLAIN does not read its own output fields",
        move |_| {
            let journal = mem::offset_of!(uapi::nsproxy_explain, journal);
            let room = mem::offset_of!(uapi::nsproxy_explain, room);
            does_not_read(EXPLAIN, &[0, 4, flags, journal, journal + 4, room])
        },
    ));
    tests.push(Test::new(
        "EXPLAIN with its first struct is filled in",
        shorter,
    ));
    for (what, address) in NOWHERE {
        tests.push(Test::new(
            format!("a journal at {what} is EFAULT, and the call is not made"),
            move |fixtures| no_journal(fixtures, address, 1),
        ));
    }
    tests.push(Test::new("a journal without room may be anywhere", no_room));
    tests.push(Test::new(
        "a journal that ends beyond memory is EFAULT, and the call is not made",
        |fixtures| no_journal(fixtures, LastPage::new()?.end() - STEP_SIZE, 2),
    ));
    tests.push(Test::new(
        "a journal longer than its buffer is cut, and the length is returned",
        short_journal,
    ));
    tests.push(Test::new(
        "a journal with the maximum room is written",
        |_| {
            let (lines, _) = journal(u32::MAX, uapi::NSPROXY_JOURNAL_MAX as usize)?;
            ensure!(lines > 0, "no lines");
            Ok(())
        },
    ));
    tests.push(Test::new(
        "EXPLAIN whose result cannot be written is not made",
        not_writable,
    ));
    for (refused, flags, room, errno) in [
        ("with an unknown flag", 1 << 31, FITS, Code::EINVAL),
        (
            "with a journal that ends beyond memory",
            0,
            FITS + 1,
            Code::EFAULT,
        ),
    ] {
        tests.push(Test::new(
            format!("EXPLAIN {refused} writes nothing, into the journal neither"),
            move |_| writes_nothing(flags, room, errno),
        ));
    }
    tests.push(Test::new(
        "a journal that becomes unwritable during the call leaves the verdict",
        verdict_first,
    ));
    tests.push(Test::new(
        "the times of a journal count from the start of the call",
        since_the_call_began,
    ));
}

const STEP_SIZE: usize = mem::size_of::<uapi::nsproxy_step>();

/// Checks that a call with an invalid address of its journal is refused and does not move the test.
fn no_journal(fixtures: &mut Fixtures, address: usize, room: u32) -> Result<()> {
    let target = fixtures.target(&Target::in_new(Kind::Uts.flag()))?;
    let file = File::open(format!("/proc/{}/ns/uts", target.pid))?;
    let mut args = uapi::nsproxy_explain {
        fd: file.as_raw_fd(),
        journal: address as u64,
        room,
        ..Default::default()
    };
    expect(
        uapi::NSPROXY_EXPLAIN,
        (&raw mut args).addr(),
        Err(Code::EFAULT),
    )
}

fn no_room(_: &mut Fixtures) -> Result<()> {
    let valid = Valid::new()?;
    for (_, address) in NOWHERE {
        let mut args = uapi::nsproxy_explain {
            fd: valid.args.fd,
            flags: uapi::NSPROXY_EXPLAIN_DRY_RUN,
            journal: address as u64,
            ..Default::default()
        };
        expect(uapi::NSPROXY_EXPLAIN, (&raw mut args).addr(), Ok(()))?;
    }
    Ok(())
}

/// The number of lines that fit into a page.
const FITS: u32 = (PAGE / STEP_SIZE) as u32;

/// Checks that a call which is refused before it is made does not change the struct or the journal.
fn writes_nothing(flags: u32, room: u32, errno: Code) -> Result<()> {
    const JUNK: [u8; PAGE] = [0xa5; PAGE];
    let page = LastPage::new()?;
    page.fill_end(&JUNK);
    let valid = Valid::new()?;
    let mut args = uapi::nsproxy_explain {
        fd: valid.args.fd,
        flags,
        journal: (page.end() - PAGE) as u64,
        room,
        lines: 0xa5a5,
        error: 0xa5a5,
        ..Default::default()
    };
    let before = args;
    expect(uapi::NSPROXY_EXPLAIN, (&raw mut args).addr(), Err(errno))?;
    ensure!(
        format!("{args:?}") == format!("{before:?}"),
        "the struct has changed from {before:?} to {args:?}"
    );
    ensure!(page.bytes() == JUNK, "the journal has changed");
    Ok(())
}

/// Checks the verdict of a call whose journal has lines in two pages. The first page becomes
/// read-only during the call.
fn verdict_first(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(Kind::Uts.flag()))?;
    let there = File::open(format!("/proc/{}/ns/uts", target.pid))?;
    let pages = stuck_page()?;
    let journal = (pages.address() - STEP_SIZE) as u64;
    let call = thread::spawn(move || -> Result<_> {
        let mut args = uapi::nsproxy_explain {
            fd: there.as_raw_fd(),
            journal,
            room: 2,
            reason: 0xa5a5,
            ..Default::default()
        };
        let device = Device::open()?;
        let fd = device.as_fd().as_raw_fd();
        let outcome = sys::ioctl(fd, uapi::NSPROXY_EXPLAIN, (&raw mut args).addr());
        Ok((outcome, args, links_of("thread-self")))
    });
    // The module checks the second page after the first.
    let is_stuck = pages.wait_for_access(Duration::from_secs(60))?;
    pages.make_page_before_read_only()?;
    pages.release()?;
    let (outcome, args, links) = call.join().map_err(|_| anyhow!("the call panicked"))??;
    ensure!(is_stuck, "the second page was not accessed");
    ensure!(
        outcome == Err(Errno::FAULT),
        "the ioctl returned {outcome:?}"
    );
    ensure!(
        links.get("uts").copied() == target.link("uts"),
        "the call was not made"
    );
    ensure!(
        args.lines > 2 && (args.error, args.reason) == (0, 0),
        "the verdict is missing: {args:?}"
    );
    Ok(())
}

fn since_the_call_began(_: &mut Fixtures) -> Result<()> {
    let valid = Valid::new()?;
    let device = Device::open()?;
    let before = clock_gettime(ClockId::Monotonic);
    let (_, journal) = device.trace(valid.args.fd, 0, Explain::dry_run(false))?;
    let after = clock_gettime(ClockId::Monotonic);
    let took = Duration::try_from(after)? - Duration::try_from(before)?;
    let last = journal.steps.last().context("no steps")?.time;
    ensure!(
        last <= took,
        "a step {last:?} after the call began, which took {took:?}"
    );
    Ok(())
}

/// Makes a dry run with a journal, in memory for `allocated` lines and an additional one. Returns
/// the length of the journal, and the memory.
fn journal(room: u32, allocated: usize) -> Result<(usize, Vec<uapi::nsproxy_step>)> {
    let valid = Valid::new()?;
    let mut lines = vec![uapi::nsproxy_step::default(); allocated + 1];
    let mut args = uapi::nsproxy_explain {
        fd: valid.args.fd,
        flags: uapi::NSPROXY_EXPLAIN_DRY_RUN,
        journal: lines.as_mut_ptr().expose_provenance() as u64,
        room,
        ..Default::default()
    };
    expect(uapi::NSPROXY_EXPLAIN, (&raw mut args).addr(), Ok(()))?;
    let beyond = lines.pop().map(|line| line.step);
    ensure!(
        beyond == Some(0),
        "more lines were written than there is room for"
    );
    Ok((args.lines as usize, lines))
}

fn short_journal(_: &mut Fixtures) -> Result<()> {
    let (all, whole) = journal(128, 128)?;
    ensure!((5..128).contains(&all), "{all} lines");
    for room in [1, 2, all - 1, all, all + 1] {
        let (lines, written) = journal(room as u32, room)?;
        ensure!(
            lines == all,
            "{lines} lines with room for {room}, not {all}"
        );
        let steps = |lines: &[uapi::nsproxy_step]| {
            lines
                .iter()
                .map(|line| (line.step, line.ns_id))
                .collect::<Vec<_>>()
        };
        ensure!(
            steps(&written) == steps(&whole[..room]),
            "different lines with room for {room}"
        );
    }
    Ok(())
}

fn show(tests: &mut Vec<Test>) {
    let flags = mem::offset_of!(uapi::nsproxy_show, flags);
    let reserved = mem::offset_of!(uapi::nsproxy_show, reserved);
    bits_are_unknown(tests, SHOW, ("the flags", flags), &[0, 31]);
    bits_are_unknown(tests, SHOW, ("the reserved field", reserved), &[0, 31]);
    tests.push(Test::new(
        "SHOW does not read its own output fields",
        move |_| does_not_read(SHOW, &[flags, reserved]),
    ));
}

/// Checks that a call with a read-only struct does not move the test.
fn not_writable(fixtures: &mut Fixtures) -> Result<()> {
    let target = fixtures.target(&Target::in_new(Kind::Uts.flag()))?;
    let file = File::open(format!("/proc/{}/ns/uts", target.pid))?;
    let page = LastPage::new()?;
    let mut bytes = [0; EXPLAIN_SIZE];
    bytes[..4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    page.fill_end(&bytes);
    page.make_read_only()?;
    expect(
        uapi::NSPROXY_EXPLAIN,
        page.end() - EXPLAIN_SIZE,
        Err(Code::EFAULT),
    )
}

fn version_is_correct(_: &mut Fixtures) -> Result<()> {
    let version = Device::open()?.version()?;
    ensure!(
        version.abi == uapi::NSPROXY_ABI_VERSION,
        "ABI {}",
        version.abi
    );
    ensure!(
        version.kinds == all_kinds(),
        "kinds {:#x}, the kernel under test has all: {:#x}",
        version.kinds,
        all_kinds()
    );
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    ensure!(
        version.release == release.trim(),
        "built for {:?}, runs on {:?}",
        version.release,
        release.trim()
    );
    ensure!(version.symbols > 0, "no symbols");
    Ok(())
}
