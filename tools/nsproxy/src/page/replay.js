// SPDX-License-Identifier: GPL-2.0-only

// The members of struct nsproxy by the kinds of what they point at, and the cred's.
const SLOTS = {
    mnt: ["mnt"],
    uts: ["uts"],
    ipc: ["ipc"],
    pid: ["pid_for_children"],
    cgroup: ["cgroup"],
    net: ["net"],
    time: ["time", "time_for_children"],
    user: ["user"],
};

// Which nsproxy it is whose count a step tells.
const WHOSE = {
    caller: "old",
    "create-new-namespaces": "new",
    target: "target",
    "target-put": "target",
    "put-nsproxy": "old",
    return: "new",
};

// What there was after the step `at`: the caller's old and new nsproxy and cred, which of the two
// the caller has, and the counts of every namespace that was seen until then.
function replay(call, at) {
    const state = {
        // Of a set: is it there, was it given back, what do its members point at, and its count,
        // if it was told.
        nsproxy: {
            old: { there: true, isPut: false, slots: { ...call.before }, count: null },
            new: { there: false, isPut: false, slots: {}, count: null },
            callers: "old",
        },
        cred: {
            old: { there: true, isPut: false, slots: { user: call.before.user }, count: null },
            new: { there: false, isPut: false, slots: {}, count: null },
            callers: "old",
        },
        // Whose nsproxy it was whose count the step tells: "old", "new", or "target" for the one of
        // the process behind a pidfd.
        whose: null,
        counts: new Map(),
    };
    for (const step of call.steps.slice(0, at + 1)) {
        apply(step, state);
    }
    return state;
}

function apply(step, state) {
    const { nsproxy, cred } = state;
    for (const counts of step.counts) {
        state.counts.set(String(counts.id), counts);
    }
    const whose = step.nsproxy === null ? null : WHOSE[step.step];
    state.whose = whose ?? null;
    if (whose === "old" || whose === "new") {
        nsproxy[whose].count = step.nsproxy.after;
    }
    if (step.errno !== null) {
        return;
    }

    switch (step.step) {
        case "create-new-namespaces":
            nsproxy.new.there = true;
            nsproxy.new.slots = { ...nsproxy.old.slots };
            break;
        case "prepare-creds":
            cred.new.there = true;
            cred.new.slots = { ...cred.old.slots };
            break;
        case "install": {
            const set = step.about.kind === "user" ? cred : nsproxy;
            for (const member of SLOTS[step.about.kind]) {
                set.new.slots[member] = step.about.id;
            }
            break;
        }
        case "commit-creds":
            cred.callers = "new";
            cred.old.there = false;
            cred.old.isPut = true;
            break;
        case "switch":
            nsproxy.callers = "new";
            break;
        case "put-nsproxy":
            nsproxy.old.there = step.nsproxy.after > 0;
            nsproxy.old.isPut = true;
            break;
        case "return":
            // What was committed is the caller's by now, and not released.
            for (const { new: set, callers } of [nsproxy, cred]) {
                set.isPut = set.there && callers === "old";
                set.there &&= callers === "new";
            }
            break;
    }
}
