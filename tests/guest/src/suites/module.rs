// SPDX-License-Identifier: GPL-2.0-only

//! Loading and unloading the module, which a call in progress prevents.

use crate::{
    case::{fixtures::Fixtures, implementation::Device},
    env::module,
    errno::Code,
    process::channel::Channel,
    report::ktap::{Skip, Test},
    sys::{self, StuckPage},
};
use anyhow::{Context as _, Result, ensure};
use nsproxy_uapi::sys as uapi;
use rustix::io::Errno;
use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::{AsFd as _, AsRawFd as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("loaded twice: EEXIST", loaded_twice),
        Test::new(
            "loaded and unloaded 50 times, serving each time",
            fifty_times,
        ),
        Test::new("marked as a test: it taints the kernel as one", marked),
        Test::new("not unloaded while the device is open", while_open),
        Test::new(
            "not unloaded while any of its files is open",
            while_file_open,
        ),
        Test::new(
            "unloaded while a file of the kernel about it is open",
            under_files_of_the_kernel,
        ),
        Test::new(
            "not unloaded while the device is in a message to another process",
            while_in_flight,
        ),
        Test::new(
            "not unloaded during a call whose descriptor is closed",
            while_inside,
        ),
        Test::new("loaded when this suite ends", |_| {
            module::make_sure_it_is_loaded()?;
            check_device()
        }),
    ]
}

/// The number of times to load and unload.
const TIMES: u32 = 50;
/// How long to wait for another thread.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Files whose operations belong to the module, beside the device.
const DEBUGFS: &str = "/sys/kernel/debug/nsproxy_rs";
/// Files about the module whose operations belong to the kernel.
const OF_THE_KERNEL: [&str; 3] = [
    "/sys/module/nsproxy_rs",
    "/sys/class/misc/nsproxy",
    "/sys/kernel/debug/tracing/events/nsproxy_rs",
];

/// Checks that the device works.
fn check_device() -> Result<()> {
    let device = Device::open().context(Device::PATH)?;
    device.version().context("VERSION")?;
    let own = File::open("/proc/self/ns/net")?;
    device.setns_raw(own.as_raw_fd(), 0).context("SETNS")?;
    Ok(())
}

/// Checks that the module cannot be unloaded, and that the device works.
fn check_not_unloaded() -> Result<()> {
    // The error for a module that is in use.
    let expected = Code::EAGAIN;
    match module::unload() {
        Ok(()) => anyhow::bail!("it was unloaded"),
        Err(errno) => ensure!(
            Code::from(errno) == expected,
            "delete_module: {}, expected {expected}",
            Code::from(errno)
        ),
    }
    ensure!(module::is_loaded()?, "not loaded any more");
    check_device()
}

fn loaded_twice(_: &mut Fixtures) -> Result<()> {
    let again = module::load(c"")?;
    ensure!(again == Err(Errno::EXIST), "finit_module: {again:?}");
    check_device()
}

fn fifty_times(_: &mut Fixtures) -> Result<()> {
    for i in 1..=TIMES {
        module::unload_soon().with_context(|| format!("time {i}"))?;
        ensure!(!module::is_loaded()?, "time {i}: still loaded");
        ensure!(
            !fs::exists(Device::PATH)?,
            "time {i}: unloaded, and {} is there",
            Device::PATH
        );
        ensure!(
            !fs::exists(DEBUGFS)?,
            "time {i}: unloaded, and its debugfs directory is there"
        );
        module::load(c"")?.with_context(|| format!("time {i}: finit_module"))?;
        check_device().with_context(|| format!("time {i}"))?;
    }
    Ok(())
}

fn while_open(_: &mut Fixtures) -> Result<()> {
    let device = Device::open()?;
    check_not_unloaded()?;
    let copy = device.as_fd().try_clone_to_owned()?;
    drop(device);
    check_not_unloaded()?;
    drop(copy);
    module::unload_soon()?;
    module::load(c"")?.context("finit_module")
}

/// Returns all files below a directory. Does not follow links.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => files.extend(files_below(&entry.path())?),
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(files)
}

/// Opens a file for reading, or for writing if it cannot be read.
fn open(path: &Path) -> Result<File> {
    File::open(path)
        .or_else(|_| File::options().write(true).open(path))
        .with_context(|| path.display().to_string())
}

/// Reads a file from its beginning, and ignores errors.
fn read(mut file: &File) {
    let _ = file.read(&mut [0; 4096]);
}

fn marked(_: &mut Fixtures) -> Result<()> {
    let taint = fs::read_to_string("/sys/module/nsproxy_rs/taint")?;
    ensure!(taint.contains('N'), "the taint is {taint:?}, without N");
    Ok(())
}

fn while_file_open(_: &mut Fixtures) -> Result<()> {
    let mut files = files_below(Path::new(DEBUGFS))?;
    ensure!(!files.is_empty(), "no file in {DEBUGFS}");
    files.push(Device::PATH.into());
    for path in files {
        let at = || path.display().to_string();
        let file = open(&path)?;
        check_not_unloaded().with_context(at)?;
        read(&file);
        check_not_unloaded().with_context(at)?;
        drop(file);
        module::unload_soon().with_context(at)?;
        module::load(c"")?.context("finit_module")?;
    }
    Ok(())
}

/// Unloads the module while files of the kernel are open. The kernel may refuse; it must not access
/// freed memory, which would show on the console.
fn under_files_of_the_kernel(_: &mut Fixtures) -> Result<()> {
    for directory in OF_THE_KERNEL {
        // The first of the paths is itself a link.
        let files = files_below(&fs::canonicalize(directory).context(directory)?)?;
        ensure!(!files.is_empty(), "no file in {directory}");
        for path in files {
            let Ok(file) = open(&path) else {
                continue;
            };
            match module::unload() {
                Ok(()) => module::load(c"")?.context("finit_module")?,
                Err(Errno::AGAIN) => {}
                Err(errno) => anyhow::bail!("{}: {}", path.display(), Code::from(errno)),
            }
            read(&file);
        }
    }
    Ok(())
}

fn while_in_flight(_: &mut Fixtures) -> Result<()> {
    let (from, to) = Channel::pair()?;
    from.send(&(), Some(Device::open()?.as_fd()))?;
    check_not_unloaded()?;
    drop(from);
    let (_, file) = to.receive::<()>()?.context("no message")?;
    let device = Device::from(file.context("no file")?);
    device.version().context("the device that arrived")?;
    drop(device);
    module::unload_soon()?;
    module::load(c"")?.context("finit_module")
}

/// Maps memory whose access suspends a call in the module.
pub(super) fn stuck_page() -> Result<StuckPage> {
    match StuckPage::new() {
        Err(Errno::NOSYS) => Err(Skip::because(
            "needs userfaultfd(2) to suspend a call, see CONFIG_USERFAULTFD",
        )),
        page => page.context("userfaultfd"),
    }
}

fn while_inside(_: &mut Fixtures) -> Result<()> {
    let page = stuck_page()?;
    let device = Device::open()?;
    let (fd, address) = (device.as_fd().as_raw_fd(), page.address());
    let call = thread::spawn(move || sys::ioctl(fd, uapi::NSPROXY_SETNS, address));
    ensure!(
        page.wait_for_access(TIMEOUT)?,
        "the call does not read its arguments"
    );

    // From here on only the call references the file.
    drop(device);
    let refused = check_not_unloaded();
    page.release()?;
    let outcome = call
        .join()
        .map_err(|_| anyhow::anyhow!("the call panicked"))?;
    refused?;
    // The arguments are zeroes: standard input is not a namespace.
    ensure!(
        matches!(outcome, Err(Errno::INVAL | Errno::BADF)),
        "the call returned {outcome:?}"
    );
    module::unload_soon()?;
    module::load(c"")?.context("finit_module")
}
