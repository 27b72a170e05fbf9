// SPDX-License-Identifier: GPL-2.0-only

// The members of struct nsproxy and struct cred, by the kind of namespace that they point at.
const MEMBERS = {
    mnt: ["mnt"],
    uts: ["uts"],
    ipc: ["ipc"],
    pid: ["pid_for_children"],
    cgroup: ["cgroup"],
    net: ["net"],
    time: ["time", "time_for_children"],
    user: ["user"],
};

// The nsproxy whose count a step reports.
const COUNTED = {
    caller: "old",
    "create-new-namespaces": "new",
    "put-nsproxy": "old",
    return: "new",
};

// Returns the state after a step: the old and new nsproxy and cred, which of them the caller has,
// and the last counts of each namespace.
function replay(call, at) {
    const pair = (ids) => ({
        old: { exists: true, isPut: false, members: ids, count: null },
        new: { exists: false, isPut: false, members: {}, count: null },
        callers: "old",
    });
    const state = {
        nsproxy: pair(call.before),
        cred: pair({ user: call.before.user }),
        counts: new Map(),
    };
    for (const step of call.steps.slice(0, at + 1)) {
        apply(step, state);
    }
    return state;
}

function apply(step, { nsproxy, cred, counts }) {
    for (const entry of step.counts) {
        counts.set(String(entry.id), entry);
    }
    const counted = step.nsproxy === null ? undefined : nsproxy[COUNTED[step.step]];
    if (counted !== undefined) {
        counted.count = step.nsproxy.after;
    }
    if (step.errno !== null) {
        return;
    }
    const copy = (set) => {
        set.new.exists = true;
        set.new.members = { ...set.old.members };
    };
    switch (step.step) {
        case "create-new-namespaces":
            // A call that creates namespaces has begun to fill the nsproxy before.
            if (!nsproxy.new.exists) {
                copy(nsproxy);
            }
            break;
        case "new-ns": {
            const set = step.about.kind === "user" ? cred : nsproxy;
            if (!set.new.exists) {
                copy(set);
            }
            // Of two members, the one for children.
            set.new.members[MEMBERS[step.about.kind].at(-1)] = step.about.id;
            break;
        }
        case "prepare-creds":
            copy(cred);
            break;
        case "install": {
            const set = step.about.kind === "user" ? cred : nsproxy;
            for (const member of MEMBERS[step.about.kind]) {
                set.new.members[member] = step.about.id;
            }
            break;
        }
        case "commit-creds":
            cred.callers = "new";
            cred.old.exists = false;
            cred.old.isPut = true;
            break;
        case "switch":
            nsproxy.callers = "new";
            break;
        case "put-nsproxy":
            nsproxy.old.exists = step.nsproxy.after > 0;
            nsproxy.old.isPut = true;
            break;
        case "return":
            for (const { new: set, callers } of [nsproxy, cred]) {
                set.isPut = set.exists && callers === "old";
                set.exists &&= callers === "new";
            }
            break;
    }
}
