// SPDX-License-Identifier: GPL-2.0-only

//! The module makes the same checks of capabilities as setns(2), in the same order and as often.
//!
//! A check that is made twice or too early changes no result. An audit log and `PF_SUPERPRIV` show it,
//! and so does a security module. Each case of `kinds`, `pidfd` and `errno` is tried through each
//! entry. `cap_capable()` is traced meanwhile.

use super::{errno, kinds, pidfd};
use crate::{
    case::{
        Case, Expect, FdSource,
        fixtures::Fixtures,
        implementation::{self, Device, Entry, Kind},
        run,
    },
    env::{
        serve_status,
        trace::{CapCheck, Trace},
    },
    errno::Outcome,
    process::{
        Actor,
        command::{Call, Command},
        workers::Child,
    },
    report::ktap::Test,
    sys::{
        self,
        nsfs::{self, Relative},
    },
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::{Member, Reason};
use rustix::{io::Errno, thread::CapabilitySet};
use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    rc::Rc,
};

const SYS_CHROOT: u32 = CapabilitySet::SYS_CHROOT.bits().trailing_zeros();
const SYS_PTRACE: u32 = CapabilitySet::SYS_PTRACE.bits().trailing_zeros();
const SYS_ADMIN: u32 = CapabilitySet::SYS_ADMIN.bits().trailing_zeros();
const SETPCAP: u32 = CapabilitySet::SETPCAP.bits().trailing_zeros();

pub(super) fn tests() -> Vec<Test> {
    let state = Rc::new(RefCell::new(None));
    let of = |suite, cases: Vec<Case>| cases.into_iter().map(move |case| (suite, case));
    let cases = of("kinds", kinds::cases())
        .chain(of("pidfd", pidfd::cases()))
        .chain(of("errno", errno::cases()));
    cases
        .map(|(suite, case)| {
            let state = state.clone();
            let name = format!("the same checks of capabilities: {suite}: {}", case.name);
            Test::new(name, move |fixtures| {
                let mut state = state.borrow_mut();
                let recorder = match &mut *state {
                    Some(recorder) => recorder,
                    none => none.insert(Recorder::new()?),
                };
                recorder.check(&case, fixtures)
            })
        })
        .collect()
}

/// Records the checks of capabilities of a call. The tests share it, since a kprobe takes time to
/// install and to remove.
struct Recorder {
    trace: Trace,
    /// The address of each user namespace, by its id.
    addresses: HashMap<u64, u64>,
    serves: bool,
}

/// User namespaces by their addresses.
type Names = Vec<(u64, String)>;
/// Checks: capabilities, and the addresses of user namespaces.
type Expected = Vec<(u32, u64)>;

/// The checks of a call.
struct Recorded {
    outcome: Outcome,
    checks: Vec<CapCheck>,
    /// The user namespaces that the call may be about, by their addresses.
    names: Names,
    /// The checks that the case expects, as far as it defines them.
    expected: Option<Expected>,
}

impl Recorded {
    /// Returns the name of a user namespace.
    fn name(&self, user_ns: u64) -> &str {
        let mut names = self.names.iter();
        let found = names.find(|(address, _)| *address == user_ns);
        found.map_or("another user namespace", |(_, name)| name)
    }

    /// Returns the checks in words.
    fn words(&self) -> Vec<String> {
        let checks = self.checks.iter().map(|check| {
            let name = self.name(check.user_ns);
            format!(
                "capability {} in {name}, options {}",
                check.cap, check.options
            )
        });
        checks.collect()
    }
}

impl Recorder {
    fn new() -> Result<Self> {
        Ok(Self {
            trace: Trace::of_capabilities(&[libc::SYS_setns, libc::SYS_ioctl])?,
            addresses: HashMap::new(),
            serves: serve_status::is_supported(&Device::open()?)?,
        })
    }

    fn check(&mut self, case: &Case, fixtures: &mut Fixtures) -> Result<()> {
        let entries = [
            (Entry::Device, true),
            (Entry::Served, self.serves),
            (
                Entry::Explain {
                    dry_run: true,
                    journal: false,
                },
                true,
            ),
        ];
        let kernel = self.record(case, Entry::Syscall, fixtures)?;
        if let Some(expected) = &kernel.expected {
            let is_ptrace = |check: &&CapCheck| check.cap == SYS_PTRACE;
            let checks = kernel.checks.iter().skip_while(is_ptrace);
            let made: Vec<_> = checks.map(|check| (check.cap, check.user_ns)).collect();
            let expected_words: Vec<_> = expected
                .iter()
                .map(|(cap, user_ns)| format!("capability {cap} in {}", kernel.name(*user_ns)))
                .collect();
            ensure!(
                made == *expected,
                "setns(2) checked {:#?}, expected {expected_words:#?}",
                kernel.words()
            );
        }
        for (entry, _) in entries
            .into_iter()
            .filter(|(_, is_supported)| *is_supported)
        {
            let module = self.record(case, entry, fixtures)?;
            ensure!(
                kernel.outcome == module.outcome && kernel.words() == module.words(),
                "setns(2) returned {:?} and checked {:#?}\n{entry} returned {:?} and checked {:#?}",
                kernel.outcome,
                kernel.words(),
                module.outcome,
                module.words()
            );
        }
        Ok(())
    }

    fn record(&mut self, case: &Case, entry: Entry, fixtures: &mut Fixtures) -> Result<Recorded> {
        run::with_caller(case, entry, fixtures, |actor, call| {
            let (names, expected) = self.expect(case, actor)?;
            self.record_call(actor, call, names, expected)
        })
    }

    fn record_call(
        &self,
        actor: &mut Actor,
        call: Call,
        names: Names,
        expected: Option<Expected>,
    ) -> Result<Recorded> {
        let pid = actor.pid()?;
        self.trace.clear()?;
        // Without a dry run before it.
        let outcome = actor.repeat(call, 1, false)?.outcome;
        let mut calls = self.trace.checks_of(pid)?;
        let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
        let (setns, ioctl) = (libc::SYS_setns, libc::SYS_ioctl);
        // Serving is enabled before the call, and disabled afterwards.
        let (made, at) = match call.entry {
            Entry::Syscall => (vec![setns], 0),
            Entry::Served => (vec![ioctl, setns, ioctl], 1),
            _ => (vec![ioctl], 0),
        };
        ensure!(numbers == made, "{}: system calls {numbers:?}", call.entry);
        let checks = calls.swap_remove(at).1;
        let others: usize = calls.iter().map(|(_, checks)| checks.len()).sum();
        ensure!(
            others == 0,
            "{}: the requests made {others} checks",
            call.entry
        );
        Ok(Recorded {
            outcome,
            checks,
            names,
            expected,
        })
    }

    /// Returns the user namespaces that a call may be about, and the expected checks.
    fn expect(&mut self, case: &Case, actor: &mut Actor) -> Result<(Names, Option<Expected>)> {
        let of_process = |process: &str| File::open(format!("/proc/{process}/ns/user"));
        let caller = self.address(of_process(&actor.pid()?.to_string())?)?;
        let mut names = vec![
            (
                self.address(of_process("self")?)?,
                "the initial one".to_owned(),
            ),
            (caller, "that of the caller".to_owned()),
        ];
        // None is known of a descriptor that is not open, or of a process that is dead.
        let Ok(file) = actor.fetch_file(&Command::Give { slot: 0 }) else {
            return Ok((names, None));
        };
        let (is_pidfd, kinds) = match nsfs::namespace_type(&file) {
            Ok(kind) => (false, kind),
            Err(_) => (true, case.nstype as u32),
        };
        let mut owners = HashMap::new();
        let mut set = caller;
        for kind in implementation::kinds_of(kinds) {
            let Ok(namespace) = namespace(&file, kind, is_pidfd) else {
                return Ok((names, None));
            };
            let owner = match kind {
                Kind::User => namespace,
                _ => nsfs::relative(&namespace, Relative::Owner).context("NS_GET_USERNS")?,
            };
            let owner = self.address(owner)?;
            names.push((owner, format!("that of the {} namespace", kind.name())));
            owners.insert(kind.flag(), owner);
            if kind == Kind::User {
                set = owner;
            }
        }
        let expected = expected(case, kinds, &owners, set);
        Ok((names, expected))
    }

    /// Returns the address of a user namespace. A child enters it and makes a call that checks
    /// `CAP_SETPCAP` there and has no effect.
    fn address(&mut self, user_ns: impl AsFd) -> Result<u64> {
        let id = nsfs::id(&user_ns)?;
        if let Some(address) = self.addresses.get(&id) {
            return Ok(*address);
        }
        let child = Child::start(|| {
            match sys::setns(user_ns.as_fd().as_raw_fd(), 0) {
                // It is in the initial one already.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno).context("setns(2)"),
            }
            let unknown = CapabilitySet::from_bits_retain(1 << 63);
            let dropped = rustix::thread::remove_capability_from_bounding_set(unknown);
            ensure!(dropped == Err(Errno::INVAL), "PR_CAPBSET_DROP: {dropped:?}");
            Ok(())
        })?;
        let pid = child.pid.as_raw_pid() as u32;
        child.end()?;
        let checks = self.trace.all_checks_of(pid)?;
        let mut checks = checks.iter().rev();
        let check = checks.find(|check| check.cap == SETPCAP);
        let address = check
            .context("no check of CAP_SETPCAP in the trace")?
            .user_ns;
        self.addresses.insert(id, address);
        Ok(address)
    }
}

/// Returns the namespace of a kind that a file or a process refers to.
fn namespace(file: &OwnedFd, kind: Kind, is_pidfd: bool) -> Result<OwnedFd> {
    if !is_pidfd {
        return Ok(file.try_clone()?);
    }
    let mut members = Member::ALL.into_iter();
    let member = members.find(|member| member.name() == kind.name());
    Ok(nsproxy_uapi::nsfs::of_process(
        file,
        member.context(kind.name())?,
    )?)
}

/// Returns the checks of capabilities that `install()` of a kind makes, in the order of
/// `docs/checks.md`, each with its reason.
fn order(kind: Kind) -> &'static [(Reason, u32)] {
    match kind {
        Kind::User => &[(Reason::CapUser, SYS_ADMIN)],
        Kind::Mnt => &[
            (Reason::CapOwner, SYS_ADMIN),
            (Reason::Chroot, SYS_CHROOT),
            (Reason::CapSet, SYS_ADMIN),
        ],
        Kind::Cgroup => &[(Reason::CapSet, SYS_ADMIN), (Reason::CapOwner, SYS_ADMIN)],
        _ => &[(Reason::CapOwner, SYS_ADMIN), (Reason::CapSet, SYS_ADMIN)],
    }
}

/// Returns the checks of capabilities that a case expects after those of the access to a target:
/// capabilities and addresses of user namespaces. Returns [`None`] if the case does not define them.
fn expected(case: &Case, kinds: u32, owners: &HashMap<u32, u64>, set: u64) -> Option<Expected> {
    let mut expected = Vec::new();
    for kind in implementation::kinds_of(kinds) {
        let order = order(kind);
        let number = match (case.expect, case.reason) {
            (Expect::Moved(_), _) => order.len(),
            // The refused kind is known if there is only one.
            (Expect::Fails(_), Some(reason)) if kinds.count_ones() == 1 => match reason {
                Reason::NotBelow | Reason::Root => order.len(),
                Reason::FsShared if kind == Kind::Mnt => order.len(),
                // The others come first, and make no check.
                _ => order
                    .iter()
                    .position(|(of, _)| *of == reason)
                    .map_or(0, |at| at + 1),
            },
            _ => return None,
        };
        for (reason, cap) in &order[..number] {
            let user_ns = match reason {
                Reason::CapOwner | Reason::CapUser => *owners.get(&kind.flag())?,
                _ => set,
            };
            expected.push((*cap, user_ns));
        }
    }
    // A pidfd without a kind is refused before.
    (kinds != 0 || matches!(case.fd, FdSource::Pidfd)).then_some(expected)
}
