// SPDX-License-Identifier: GPL-2.0-only

//! Each rule, broken once.

use super::compare;
use crate::{c::Tree, document, module};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

const NSPROXY: &str = "
    static int check_setns_flags(unsigned long flags) { return 0; }
    static int validate_ns(struct nsset *nsset, struct ns_common *ns)
    { return ns->ops->install(nsset, ns); }
    SYSCALL_DEFINE2(setns, int, fd, int, flags)
    {
        if (check_setns_flags(flags)) return -EINVAL;
        put_net(net);
        exit_sem(me);
        return validate_ns(&nsset, ns);
    }
    int copy_namespaces(u64 flags, struct task_struct *tsk) { return fork_only(tsk); }
";
const NET: &str = "
    void put_net(struct net *net) { free_net(net); }
    static void netns_put(struct ns_common *ns) { put_net(to_net_ns(ns)); }
    static int netns_install(struct nsset *nsset, struct ns_common *ns)
    { return ns_capable(ns->user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM; }
    const struct proc_ns_operations netns_operations = {
        .name = \"net\", .put = netns_put, .install = netns_install,
    };
";
const DOCUMENT: &str = "
## `kernel/nsproxy.c`

| C | here | Rust |
| --- | --- | --- |
| `setns()`, `check_setns_flags()` | mirrored | [`setns`](../src/setns.rs), [`check`](../src/setns.rs) |
| `validate_ns()` | mirrored | [`Set::validate_ns`](../src/setns.rs) |
| `copy_namespaces()` | left out | clone(2) |

## others

| C | in | here | Rust |
| --- | --- | --- | --- |
| `put_net()` | `net/net.c` | called | |
| `exit_sem()` | `ipc/sem.c` | called | [`setns`](../src/setns.rs) |
| `.put` | `include/linux/proc_ns.h` | called | [`put`](../src/sys/shim.c) |
| `.install` | `include/linux/proc_ns.h` | asked again | [`Set::validate_ns`](../src/setns.rs) |
| `ns_capable()` | `include/linux/capability.h` | inside | each kind asks it |

| operations | in | `.put` | `.install` |
| --- | --- | --- | --- |
| `netns_operations` | `net/net.c` | `netns_put()` | `netns_install()` |
";
const RUST: &str = r#"
    pub(crate) fn setns() { static_call!(exit_sem(me)); }
    #[doc(alias = "check_setns_flags")]
    fn check() {}
    impl Set { fn validate_ns() {} }
"#;
const SYMBOLS: &str = "CALL(SYSVIPC, exit_sem)\n";

/// A kernel and a project that fit each other.
struct World(PathBuf);

impl World {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nsproxy-path-{}-{n}", std::process::id()));
        let world = Self(path);
        world.write("kernel/nsproxy.c", NSPROXY);
        world.write("net/net.c", NET);
        world.write("ipc/sem.c", "void exit_sem(struct task_struct *tsk) { }");
        world.write(
            "include/linux/capability.h",
            "#define ns_capable(ns, cap) 1\n",
        );
        world.write(
            "include/linux/proc_ns.h",
            "extern const struct proc_ns_operations netns_operations;",
        );
        world.write(document::PATH, DOCUMENT);
        world.write("src/setns.rs", RUST);
        world.write(
            "src/sys/shim.c",
            "void put(struct ns_common *ns) { ns->ops->put(ns); }",
        );
        world.write(module::SYMBOLS, SYMBOLS);
        world
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Replaces what is there once.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let content = fs::read_to_string(self.0.join(name)).unwrap();
        assert_eq!(content.matches(old).count(), 1, "{old} in {content}");
        self.write(name, &content.replace(old, new));
    }

    fn complaints(&self) -> Vec<String> {
        let root: &Path = &self.0;
        let document = document::read(root).unwrap();
        let module = module::read(root).unwrap();
        let complaints = compare(&document, &module, &mut Tree::new(root)).unwrap();
        complaints.iter().map(ToString::to_string).collect()
    }

    /// There is one complaint, and it has these words.
    fn complains(&self, words: &str) {
        let complaints = self.complaints();
        assert!(
            matches!(&complaints[..], [only] if only.contains(words)),
            "not once \"{words}\": {complaints:#?}"
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_fits_is_not_complained_about() {
    assert_eq!(World::new().complaints(), Vec::<String>::new());
}

#[test]
fn a_row_is_removed() {
    let world = World::new();
    world.edit(
        document::PATH,
        "| `copy_namespaces()` | left out | clone(2) |\n",
        "",
    );
    world.complains("`copy_namespaces` is defined in kernel/nsproxy.c, and is in no row");
}

#[test]
fn a_row_is_there_twice() {
    let world = World::new();
    let row = "| `copy_namespaces()` | left out | clone(2) |\n";
    world.edit(document::PATH, row, &row.repeat(2));
    world.complains("`copy_namespaces` is in line 8 as well");
}

#[test]
fn a_row_is_added() {
    let world = World::new();
    let row = "| `put_net()` | `net/net.c` | called | |\n";
    let two = format!("{row}| `to_net_ns()`, `free_net()` | `net/net.c` | inside | words |\n");
    world.edit(document::PATH, row, &two);
    world.edit(
        "net/net.c",
        "const struct",
        "void free_net(void) {}\nconst struct",
    );
    let complaints = world.complaints().join("\n");
    for words in [
        "`to_net_ns()` is not defined in net/net.c",
        "nothing on the path calls `free_net`",
    ] {
        assert!(complaints.contains(words), "{complaints}");
    }
}

#[test]
fn a_file_is_added() {
    let world = World::new();
    world.edit(
        document::PATH,
        "| `net/net.c` | called |",
        "| `net/net.c`, `ipc/sem.c` | called |",
    );
    world.complains("ipc/sem.c defines nothing of what is in the row");
    world.edit(
        document::PATH,
        "`net/net.c`, `ipc/sem.c`",
        "`net/net.c`, `net/none.c`",
    );
    world.complains("the kernel has no net/none.c");
}

#[test]
fn the_kernel_has_a_new_function() {
    let world = World::new();
    world.edit(
        "kernel/nsproxy.c",
        "int copy_namespaces",
        "int nsproxy_fake(void) { return 0; }\nint copy_namespaces",
    );
    world.complains("`nsproxy_fake` is defined in kernel/nsproxy.c, and is in no row");
}

#[test]
fn the_kernel_has_lost_a_function() {
    let world = World::new();
    world.edit("kernel/nsproxy.c", "int copy_namespaces", "int others");
    let complaints = world.complaints().join("\n");
    for words in [
        "`others` is defined in kernel/nsproxy.c, and is in no row",
        ":8: `copy_namespaces()` is not defined in kernel/nsproxy.c",
    ] {
        assert!(complaints.contains(words), "{complaints}");
    }
}

#[test]
fn a_mirrored_function_calls_another() {
    let world = World::new();
    world.edit(
        "kernel/nsproxy.c",
        "exit_sem(me);",
        "exit_sem(me); exit_shm(me);",
    );
    world.complains("`exit_shm` is called by `setns()` of kernel/nsproxy.c, and is in no row");
}

#[test]
fn a_kind_asks_more() {
    let world = World::new();
    world.edit(
        "net/net.c",
        "{ return ns_capable(",
        "{ net_allowed(); return ns_capable(",
    );
    world.complains("`net_allowed` is called by `netns_install()` of net/net.c");
}

#[test]
fn a_kind_asks_less() {
    let world = World::new();
    world.edit(
        "net/net.c",
        "ns_capable(ns->user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM",
        "0",
    );
    world.complains("nothing on the path calls `ns_capable`");
}

#[test]
fn a_kind_has_another_function() {
    let world = World::new();
    world.edit("net/net.c", ".put = netns_put", ".put = netns_drop");
    world.complains("`.put` of `netns_operations` is `netns_drop()`");
}

#[test]
fn a_kind_has_another_operation() {
    let world = World::new();
    world.edit(
        "net/net.c",
        ".put = netns_put",
        ".put = netns_put, .get = netns_get",
    );
    let complaints = world.complaints().join("\n");
    assert!(
        complaints.contains("`.get` is an operation of `netns_operations`"),
        "{complaints}"
    );
}

#[test]
fn there_is_a_new_kind() {
    let world = World::new();
    world.edit(
        "include/linux/proc_ns.h",
        "extern",
        "extern const struct proc_ns_operations logns_operations;\nextern",
    );
    world.complains("`logns_operations` is declared in include/linux/proc_ns.h");
}

#[test]
fn the_kernel_cannot_be_parsed() {
    let world = World::new();
    world.edit("kernel/nsproxy.c", "exit_sem(me);", "exit_sem(me) @ [;");
    let complaints = world.complaints().join("\n");
    assert!(
        complaints.contains("`setns()` of kernel/nsproxy.c cannot be parsed"),
        "{complaints}"
    );
}

#[test]
fn an_item_is_renamed() {
    let world = World::new();
    world.edit("src/setns.rs", "fn check()", "fn check_flags()");
    let complaints = world.complaints().join("\n");
    assert!(
        complaints.contains("src/setns.rs has no `check`"),
        "{complaints}"
    );
}

#[test]
fn a_link_leads_nowhere() {
    let world = World::new();
    let words = "[`setns`](../src/setns.rs), [`setns.rs`](../src/setns.rs), [`sys/`](../src/sys)\n";
    world.edit(
        document::PATH,
        "## others\n",
        &format!("{words}\n## others\n"),
    );
    assert_eq!(world.complaints(), Vec::<String>::new());
    world.edit(
        document::PATH,
        "[`sys/`](../src/sys)",
        "[`no.rs`](../src/no.rs), [`x`](../src/setns.rs)",
    );
    let complaints = world.complaints().join("\n");
    for words in ["src/no.rs has no `no.rs`", "src/setns.rs has no `x`"] {
        assert!(complaints.contains(words), "{complaints}");
    }
}

#[test]
fn an_item_has_no_alias() {
    let world = World::new();
    world.edit("src/setns.rs", "#[doc(alias = \"check_setns_flags\")]", "");
    world.complains("`check_setns_flags()` is mirrored, and no item of the row is named so");
}

#[test]
fn what_is_called_is_not() {
    let world = World::new();
    world.edit("src/setns.rs", "static_call!(exit_sem(me));", "");
    world.complains("`exit_sem` is called, and no file of the row calls it");
}

#[test]
fn c_calls_by_the_table_too() {
    let world = World::new();
    world.edit("src/setns.rs", "static_call!(exit_sem(me));", "");
    world.edit(
        document::PATH,
        "| called | [`setns`](../src/setns.rs) |",
        "| called | [`leave`](../src/sys/shim.c) |",
    );
    world.write(
        "src/sys/shim.c",
        "void put(struct ns_common *ns) { ns->ops->put(ns); }
         void leave(void) { static_call(nsproxy_rs_exit_sem)(current); }",
    );
    assert_eq!(world.complaints(), Vec::<String>::new());
}

#[test]
fn a_symbol_is_not_in_the_table() {
    let world = World::new();
    world.write(
        module::SYMBOLS,
        &format!("{SYMBOLS}CALL(KALLSYMS, extra)\n"),
    );
    world.complains("src/sys/symbols/symbols.def has `extra`, and no row says that it is called");
}

#[test]
fn reasons_are_given() {
    let world = World::new();
    world.edit(document::PATH, "| clone(2) |", "| |");
    world.complains("`copy_namespaces` is left out, and it is not said why");
}
