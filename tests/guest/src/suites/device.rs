// SPDX-License-Identifier: GPL-2.0-only

//! The device file: who may open it, and which credentials count when it is passed to a process.

use super::of_cases;
use crate::{
    case::{
        Case, FdSource,
        fixtures::Fixtures,
        implementation::{Device, Entry, Kind},
        target::{Target, USER},
    },
    env::module,
    errno::{Code, expect},
    process::{
        Actor,
        command::{Call, Command},
        setup::Setup,
    },
    report::ktap::Test,
};
use anyhow::{Context as _, Result, ensure};
use rustix::fs::{Mode, OFlags, SeekFrom};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read as _,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    },
};

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("a character device of root, mode 0600", mode),
        Test::new("a user may not open it: EACCES", user_may_not_open),
    ];
    tests.extend(of_cases(cases()));
    tests.extend([
        Test::new(
            "passed to a user: the rights of that user count, EPERM",
            pass_down,
        ),
        Test::new(
            "passed by a user: the rights of root count, and root moves",
            pass_up,
        ),
        Test::new(
            "under a seccomp filter: EPERM, and setns is allowed",
            seccomp,
        ),
        Test::new(
            "allow_seccomp=1 serves callers under a filter",
            allow_seccomp,
        ),
        Test::new("no line in the log for any call", no_log_lines),
        Test::new("debugfs lists each symbol, as kallsyms has it", symbols),
        Test::new(
            "kptr_restrict=2: no addresses, as in kallsyms",
            symbols_restricted,
        ),
    ]);
    tests
}

const UTS: u32 = Kind::Uts.flag();

fn mode(_: &mut Fixtures) -> Result<()> {
    let metadata = fs::metadata(Device::PATH)?;
    ensure!(
        metadata.file_type().is_char_device(),
        "not a character device"
    );
    let mode = metadata.permissions().mode() & 0o7777;
    let (uid, gid) = (metadata.uid(), metadata.gid());
    ensure!(
        (mode, uid, gid) == (0o600, 0, 0),
        "mode {mode:o}, owner {uid}:{gid}, expected 600, 0:0"
    );
    Ok(())
}

fn user_may_not_open(_: &mut Fixtures) -> Result<()> {
    let mut actor = Actor::spawn()?;
    actor.set_up(&Setup::SetIds(USER))?;
    expect(actor.run_syscall(&Command::OpenDevice)?, Err(Code::EACCES))
}

/// Returns cases in which the caller opens the device as root before its setups.
fn cases() -> Vec<Case> {
    let case = |name: &str, steps: Vec<Setup>| {
        Case::new(name, FdSource::Target("uts"), 0)
            .target(Target::in_new(UTS))
            .caller(steps)
    };
    vec![
        case(
            "opened as root, called by a user: EPERM",
            vec![Setup::SetIds(USER)],
        )
        .fails(Code::EPERM),
        case(
            "opened as root, called without capabilities: EPERM",
            vec![Setup::KeepCaps(0)],
        )
        .fails(Code::EPERM),
        case(
            "opened as root, called from a user namespace: EPERM",
            vec![Setup::Unshare(Kind::User.flag()), Setup::MapRoot],
        )
        .fails(Code::EPERM),
        case(
            "opened before a fork, called by the child",
            vec![Setup::Fork],
        )
        .moves(UTS),
        case(
            "opened before a mount namespace and a chroot",
            vec![
                Setup::Unshare(Kind::Mnt.flag()),
                Setup::Chroot("/tmp/nsproxy-tests-root".into()),
            ],
        )
        .moves(UTS),
        case("with no_new_privs alone", vec![Setup::NoNewPrivs]).moves(UTS),
    ]
}

/// Passes an open device from one actor to another.
fn pass(from: &mut Actor, to: &mut Actor) -> Result<()> {
    let device = from.fetch_file(&Command::GiveDevice)?;
    to.send_file(device)?;
    to.run_command(&Command::TakeDevice)?;
    Ok(())
}

/// Returns an actor with the uts namespace of a target in a slot, and the inode number.
fn actor_with_uts(fixtures: &mut Fixtures) -> Result<(Actor, usize, u64)> {
    let target = fixtures.target(&Target::in_new(UTS))?;
    let mut actor = Actor::spawn()?;
    let opened = actor.pass_file(target.ns("uts")?)?;
    let inode = opened.inode.context("no inode")?;
    Ok((actor, opened.slot, inode))
}

fn call(entry: Entry, slot: usize) -> Call {
    Call::new(entry, slot, UTS as i32)
}

fn uts_of(actor: &mut Actor) -> Result<String> {
    let link = fs::read_link(format!("/proc/{}/ns/uts", actor.pid()?))?;
    Ok(link.to_string_lossy().into_owned())
}

fn pass_down(fixtures: &mut Fixtures) -> Result<()> {
    let mut root = Actor::spawn()?;
    root.open_device()?;
    let (mut user, slot, _) = actor_with_uts(fixtures)?;
    user.set_up(&Setup::SetIds(USER))?;
    pass(&mut root, &mut user)?;

    let before = (uts_of(&mut user)?, uts_of(&mut root)?);
    expect(user.call(call(Entry::Device, slot))?, Err(Code::EPERM))?;
    expect(user.call(call(Entry::Device2011, slot))?, Err(Code::EPERM))?;
    ensure!(
        before == (uts_of(&mut user)?, uts_of(&mut root)?),
        "an actor moved"
    );
    Ok(())
}

fn pass_up(fixtures: &mut Fixtures) -> Result<()> {
    let mut user = Actor::spawn()?;
    user.open_device()?;
    user.set_up(&Setup::SetIds(USER))?;
    let (mut root, slot, inode) = actor_with_uts(fixtures)?;
    pass(&mut user, &mut root)?;

    let users = uts_of(&mut user)?;
    expect(root.call(call(Entry::Device, slot))?, Ok(()))?;
    let (is, expected) = (uts_of(&mut root)?, format!("uts:[{inode}]"));
    ensure!(is == expected, "root is in {is}, expected {expected}");
    ensure!(
        uts_of(&mut user)? == users,
        "the actor that opened the device moved"
    );
    Ok(())
}

/// Returns an actor under a filter that allows everything, with the device and a target.
fn under_seccomp(fixtures: &mut Fixtures) -> Result<(Actor, usize, u64)> {
    let (mut actor, slot, inode) = actor_with_uts(fixtures)?;
    actor.open_device()?;
    actor.set_up(&Setup::Seccomp)?;
    Ok((actor, slot, inode))
}

fn seccomp(fixtures: &mut Fixtures) -> Result<()> {
    let (mut actor, slot, inode) = under_seccomp(fixtures)?;
    let before = uts_of(&mut actor)?;
    expect(actor.call(call(Entry::Device, slot))?, Err(Code::EPERM))?;
    expect(actor.call(call(Entry::Device2011, slot))?, Err(Code::EPERM))?;
    ensure!(uts_of(&mut actor)? == before, "it moved");
    // The filter and the capabilities allow the system call.
    expect(actor.call(call(Entry::Syscall, slot))?, Ok(()))?;
    ensure!(
        uts_of(&mut actor)? == format!("uts:[{inode}]"),
        "it did not move"
    );
    Ok(())
}

/// The module, loaded with parameters. Dropping loads it without parameters.
struct Reloaded;

impl Reloaded {
    fn with(parameters: &std::ffi::CStr, fixtures: &mut Fixtures) -> Result<Self> {
        // Idle callers have the device open.
        fixtures.end_idle();
        module::unload_soon()?;
        let reloaded = Self;
        module::load(parameters)?.with_context(|| format!("insmod {parameters:?}"))?;
        Ok(reloaded)
    }
}

impl Drop for Reloaded {
    fn drop(&mut self) {
        if let Err(e) = module::unload_soon().and_then(|()| module::make_sure_it_is_loaded()) {
            println!("# {e:#}");
        }
    }
}

fn allow_seccomp(fixtures: &mut Fixtures) -> Result<()> {
    {
        let _reloaded = Reloaded::with(c"allow_seccomp=1", fixtures)?;
        for entry in [Entry::Device, Entry::Device2011] {
            let (mut actor, slot, inode) = under_seccomp(fixtures)?;
            expect(actor.call(call(entry, slot))?, Ok(()))?;
            let (is, expected) = (uts_of(&mut actor)?, format!("uts:[{inode}]"));
            ensure!(is == expected, "{entry}: in {is}, expected {expected}");
        }
    }
    // The default refuses.
    seccomp(fixtures)
}

/// The number of rounds of calls.
const CALLS: usize = 50;

fn no_log_lines(_: &mut Fixtures) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut log = File::from(rustix::fs::open("/dev/kmsg", flags, Mode::empty())?);
    rustix::fs::seek(&log, SeekFrom::End(0))?;

    let device = Device::open()?;
    let own = File::open("/proc/self/ns/uts")?;
    for _ in 0..CALLS {
        // Calls that succeed, calls that fail, and an unknown command.
        device.setns_raw(own.as_raw_fd(), 0).context("setns")?;
        let result = device.setns_2011_raw(own.as_raw_fd(), 0);
        result.context("setns_2011")?;
        ensure!(device.setns_raw(-1, 0).is_err(), "setns(-1) worked");
        ensure!(
            device.setns_raw(own.as_raw_fd(), 1).is_err(),
            "nstype 1 worked"
        );
        ensure!(device.version().is_ok(), "no version");
        let unknown = crate::sys::ioctl(device.as_fd().as_raw_fd(), 0x5401, 0);
        ensure!(unknown.is_err(), "TCGETS worked");
    }

    let mut lines = Vec::new();
    let mut record = [0; 8192];
    // Each read returns one record. After the last one it fails.
    while let Ok(n) = log.read(&mut record) {
        lines.push(String::from_utf8_lossy(&record[..n]).into_owned());
    }
    let ours = lines.iter().find(|line| line.contains("nsproxy"));
    ensure!(ours.is_none(), "the log has {ours:?}");
    ensure!(
        lines.len() < CALLS,
        "{} lines for {CALLS} rounds of calls, the last: {:?}",
        lines.len(),
        lines.last()
    );
    Ok(())
}

fn symbols(_: &mut Fixtures) -> Result<()> {
    let addresses = symbols_as_in_kallsyms()?;
    ensure!(
        addresses.iter().all(|address| address != NO_ADDRESS),
        "hidden addresses: {addresses:?}"
    );
    Ok(())
}

fn symbols_restricted(_: &mut Fixtures) -> Result<()> {
    let before = fs::read_to_string(KPTR_RESTRICT)?;
    fs::write(KPTR_RESTRICT, "2")?;
    let addresses = symbols_as_in_kallsyms();
    fs::write(KPTR_RESTRICT, before)?;
    let addresses = addresses?;
    ensure!(
        addresses.iter().all(|address| address == NO_ADDRESS),
        "visible addresses: {addresses:?}"
    );
    Ok(())
}

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";
/// The text that replaces a hidden address.
const NO_ADDRESS: &str = "0000000000000000";

/// Compares each line with that of `/proc/kallsyms`. Returns the addresses.
fn symbols_as_in_kallsyms() -> Result<Vec<String>> {
    let kallsyms = fs::read_to_string("/proc/kallsyms")?;
    let mut known: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in kallsyms.lines() {
        let mut words = line.split_whitespace();
        if let (Some(address), _, Some(name)) = (words.next(), words.next(), words.next()) {
            known.entry(name).or_default().push(address);
        }
    }
    let table = fs::read_to_string("/sys/kernel/debug/nsproxy_rs/symbols")?;
    let mut resolved = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(address), Some(name), Some(option)) = (words.next(), words.next(), words.next())
        else {
            anyhow::bail!("not `address name option`: {line:?}");
        };
        ensure!(option.starts_with("CONFIG_"), "no option: {line:?}");
        if words.next() == Some("(off)") {
            continue;
        }
        let addresses = known
            .get(name)
            .with_context(|| format!("no {name} in kallsyms"))?;
        ensure!(
            addresses.contains(&address),
            "{name} is at {addresses:?}, not at {address}"
        );
        resolved.push(address.to_owned());
    }
    let version = Device::open()?.version()?;
    ensure!(
        version.symbols as usize == resolved.len() && !resolved.is_empty(),
        "VERSION counts {}, debugfs has {}",
        version.symbols,
        resolved.len()
    );
    Ok(resolved)
}
