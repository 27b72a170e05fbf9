// SPDX-License-Identifier: GPL-2.0-only

//! Runs `nsproxy list` on the host, as the user of the test and as one without privileges. It needs
//! no module.

use nsproxy_uapi::{Kind, nsfs, unshare_raw};
use serde_json::{Value, json};
use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::{
        fd::AsRawFd as _,
        unix::{fs::MetadataExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::mpsc,
    thread,
};

const NSPROXY: &str = env!("CARGO_BIN_EXE_nsproxy");

/// The uid and gid of an ordinary user.
const NOBODY: u32 = 65534;

/// Returns the document that the command prints.
fn document(command: &mut Command) -> Value {
    let output = command.args(["list", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["version"], 1);
    document
}

fn list() -> Value {
    document(&mut Command::new(NSPROXY))
}

/// Returns the entry of a namespace, if the document has one.
fn entry(document: &Value, inode: u64) -> Option<&Value> {
    let mut entries = document["namespaces"].as_array().unwrap().iter();
    entries.find(|entry| entry["inode"] == inode)
}

fn holders(entry: &Value) -> &Vec<Value> {
    entry["holders"].as_array().unwrap()
}

fn path_of(process: impl std::fmt::Display, kind: Kind) -> PathBuf {
    format!("/proc/{process}/ns/{}", kind.name()).into()
}

fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn own_namespaces_are_listed_with_this_process() {
    let document = list();
    for kind in Kind::ALL {
        let path = path_of("self", kind);
        let entry = entry(&document, inode(&path)).unwrap();
        assert_eq!(entry["kind"], kind.name());
        let id = nsfs::id(File::open(path).unwrap()).ok();
        assert_eq!(entry["id"], json!(id));
        let processes = entry["processes"].as_array().unwrap();
        assert!(processes.contains(&json!(process::id())), "{entry}");
        assert!(entry["command"].is_string(), "{entry}");
    }
}

/// The binary, where a user without privileges may execute it.
struct PublicCopy(PathBuf);

impl PublicCopy {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("nsproxy-list-{}", process::id()));
        fs::copy(NSPROXY, &path).unwrap();
        Self(path)
    }

    /// Returns the command of a user without privileges.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    }
}

impl Drop for PublicCopy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_user_without_privileges_sees_its_own_namespaces() {
    if !is_root() {
        eprintln!("skipped: the other tests run as such a user");
        return;
    }
    let copy = PublicCopy::new();
    let document = document(&mut copy.command());
    for kind in Kind::ALL {
        let entry = entry(&document, inode(path_of("self", kind))).unwrap();
        let processes = entry["processes"].as_array().unwrap();
        assert!(!processes.is_empty(), "{entry}");
        // It belongs to another user.
        assert!(!processes.contains(&json!(process::id())), "{entry}");
    }
    assert!(document["hidden_processes"].as_u64() > Some(0));
    assert_ne!(document["listns"], "all");

    let output = copy.command().args(["list", "-n"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("omitted: the namespaces of "), "{errors}");
    assert!(errors.contains("omitted: namespaces without"), "{errors}");
}

#[test]
fn the_table_has_the_selected_kinds() {
    let output = Command::new(NSPROXY).args(["list", "-u"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("NAMESPACE "), "{text}");
    let own = format!("uts:[{}] ", inode(path_of("self", Kind::Uts)));
    assert!(text.lines().any(|line| line.starts_with(&own)), "{text}");
    let mut rows = text.lines().skip(1);
    assert!(rows.all(|line| line.starts_with("uts:[")), "{text}");
}

#[test]
fn open_files_are_holders() {
    let file = File::open(path_of("self", Kind::Uts)).unwrap();
    let document = list();
    let entry = entry(&document, file.metadata().unwrap().ino()).unwrap();
    let holder = json!({ "type": "file", "pid": process::id(), "fd": file.as_raw_fd() });
    assert!(holders(entry).contains(&holder), "{entry}");
}

/// Checks a uts namespace that only a thread is in, and a time namespace for its children.
#[test]
fn namespaces_of_threads_are_listed_and_entered_by_id() {
    let (to_test, from_thread) = mpsc::channel();
    let (to_thread, from_test) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        if unshare_raw(u64::from(Kind::Uts.flag() | Kind::Time.flag())).is_ok() {
            to_test
                .send(fs::read_link("/proc/thread-self").unwrap())
                .unwrap();
            // Keeps the namespaces until the test has finished.
            let _ = from_test.recv();
        }
    });
    match from_thread.recv() {
        Ok(task) => check_thread(&Path::new("/proc").join(task)),
        Err(_) => eprintln!("skipped: unshare(2) requires CAP_SYS_ADMIN"),
    }
    drop(to_thread);
    thread.join().unwrap();
}

fn check_thread(task: &Path) {
    let tid: u32 = task.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let file = File::open(task.join("ns/uts")).unwrap();
    let uts = file.metadata().unwrap().ino();
    // Since Linux 6.18.
    let id = nsfs::id(&file).ok();
    drop(file);
    let document = list();
    let entry = |inode| entry(&document, inode).unwrap();
    let holder = json!({ "type": "thread", "pid": process::id(), "tid": tid });
    assert_eq!(holders(entry(uts)), &[holder]);
    assert_eq!(entry(uts)["processes"], json!([]));
    assert_eq!(entry(uts)["id"], json!(id));
    let holder = json!({ "type": "for_children", "pid": process::id(), "tid": tid });
    let for_children = inode(task.join("ns/time_for_children"));
    assert_eq!(holders(entry(for_children)), &[holder]);

    if let Some(id) = id {
        let output = Command::new(NSPROXY)
            .args(["setns", "--via", "syscall"])
            .args([&format!("-u=id:{id}"), "readlink", "/proc/self/ns/uts"])
            .output()
            .unwrap();
        let entered = String::from_utf8_lossy(&output.stdout);
        assert_eq!(entered, format!("uts:[{uts}]\n"), "{output:?}");
    }
}

/// A process in a user namespace whose parent has no process.
struct Nested(Child);

impl Nested {
    /// Starts the process. Returns [`None`] if it may not create the namespaces.
    fn start() -> Option<Self> {
        let unshare = [NSPROXY, "unshare", "--via", "syscall", "-r"];
        let [program, args @ ..] = unshare;
        let child = Command::new(program)
            .args(args)
            .args(unshare)
            .args(["sh", "-c", "echo; exec sleep 100"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut nested = Self(child.unwrap());
        let mut line = String::new();
        let stdout = nested.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        (!line.is_empty()).then_some(nested)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_owner_without_a_process_is_listed() {
    let Some(nested) = Nested::start() else {
        eprintln!("skipped: this user may not create user namespaces");
        return;
    };
    let pid = nested.0.id();
    let document = list();
    let entry = |inode| entry(&document, inode).unwrap();
    let child = entry(inode(path_of(pid, Kind::User)));
    assert_eq!(child["processes"], json!([pid]));
    let owner = entry(child["owner"]["inode"].as_u64().unwrap());
    assert_eq!(owner["processes"], json!([]));
    assert_eq!(
        (&owner["owned"], &owner["children"]),
        (&json!(1), &json!(1))
    );
    assert!(holders(owner).is_empty(), "{owner}");

    // Linux 6.18 opens it only by a handle with its inode number: no path leads to it.
    if let Some(id) = owner["id"].as_u64() {
        let output = Command::new(NSPROXY)
            .args(["setns", "--via", "syscall", "--preserve-credentials"])
            .args([&format!("-U=id:{id}"), "readlink", "/proc/self/ns/user"])
            .output()
            .unwrap();
        let entered = String::from_utf8_lossy(&output.stdout);
        let expected = format!("user:[{}]\n", owner["inode"]);
        assert!(!is_root() || entered == expected, "{output:?}");
    }

    let output = Command::new(NSPROXY).args(["list", "-U"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let name = format!("user:[{}] ", owner["inode"]);
    let line = text.lines().find(|line| line.starts_with(&name)).unwrap();
    assert!(line.ends_with("no process, owner of 1"), "{line}");
}

#[test]
fn an_id_that_does_not_exist_is_an_error_with_a_hint() {
    let id = format!("-n=id:{}", u64::MAX);
    let output = Command::new(NSPROXY)
        .args(["setns", "--via", "syscall", &id, "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    let expected = format!("cannot open the namespace with id {}: ", u64::MAX);
    assert!(errors.contains(&expected), "{errors}");
    assert!(errors.contains("\n  hint: "), "{errors}");
}

#[test]
fn the_tree_shows_owners_above_their_namespaces() {
    let Some(nested) = Nested::start() else {
        eprintln!("skipped: this user may not create user namespaces");
        return;
    };
    let child = inode(path_of(nested.0.id(), Kind::User));
    let document = list();
    let owner = &entry(&document, child).unwrap()["owner"]["inode"];

    let output = Command::new(NSPROXY)
        .args(["list", "--tree", "-U"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("NAMESPACE "), "{text}");
    let place = |inode: String| {
        let name = format!("user:[{inode}] ");
        let mut lines = text.lines().enumerate();
        let (line, at) = lines.find_map(|(n, line)| Some((n, line.find(&name)?)))?;
        Some((line, text.lines().nth(line)?[..at].chars().count()))
    };
    let (owner_line, owner_indent) = place(owner.to_string()).unwrap();
    let (child_line, child_indent) = place(child.to_string()).unwrap();
    assert_eq!(child_line, owner_line + 1, "{text}");
    assert_eq!(child_indent, owner_indent + 3, "{text}");
}
