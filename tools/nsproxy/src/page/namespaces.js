// SPDX-License-Identifier: GPL-2.0-only

// The two halves of what the caller points at: by its nsproxy, in the order in which a call
// installs them, and by its cred.
const HALVES = [
    { name: "nsproxy", kinds: ["mnt", "uts", "ipc", "pid", "cgroup", "net", "time"] },
    { name: "cred", kinds: ["user"] },
];

// Every namespace of a call by its kind, the old ones first: a place for each from the start, so
// that nothing jumps about when it is first seen.
function namespaces(call) {
    const all = {};
    const add = (kind, id) => {
        if (id === undefined || id === null) {
            return;
        }
        all[kind] ??= [];
        if (!all[kind].includes(String(id))) {
            all[kind].push(String(id));
        }
    };
    for (const [kind, members] of Object.entries(SLOTS)) {
        members.forEach((member) => add(kind, call.before[member]));
        members.forEach((member) => add(kind, call.after[member]));
    }
    for (const step of call.steps) {
        step.counts.forEach(({ kind, id }) => add(kind, id));
        if (step.about !== null) {
            add(step.about.kind, step.about.id);
        }
    }
    return all;
}

// Draws the state after the step `at`.
function drawSets(place, call, at, state) {
    const all = namespaces(call);
    const step = call.steps[at];
    const moved = new Map(step.counts.map((counts) => [String(counts.id), counts]));
    place.replaceChildren(...HALVES.map((half) => drawHalf(half, all, moved, step, state)));
}

function drawHalf({ name, kinds }, all, moved, step, state) {
    const both = state[name];
    const body = element("tbody");
    for (const kind of kinds) {
        for (const id of all[kind] ?? []) {
            body.append(row(kind, id, both, moved.get(id), state.counts.get(id)));
        }
    }
    const told = (side) => (name === "nsproxy" && state.whose === side ? step.nsproxy : null);
    return element(
        "table",
        { class: `half ${name}` },
        element("caption", { class: "spoken" }, `By its ${name}`),
        element(
            "thead",
            {},
            element(
                "tr",
                {},
                head(`old ${name}`, "old", both, told("old")),
                element("th", { scope: "col", class: "ns" }, "namespace"),
                element("th", { scope: "col", class: "number" }, element("code", {}, "ns_ref")),
                element("th", { scope: "col", class: "number" }, element("code", {}, "active")),
                head(`new ${name}`, "new", both, told("new")),
            ),
        ),
        body,
    );
}

function head(title, side, both, moved) {
    const set = both[side];
    const callers = both.callers === side;
    let what = "";
    if (callers) {
        what = "the caller’s";
    } else if (set.there) {
        what = side === "new" ? "being made" : set.isPut ? "of others" : "to be given back";
    } else if (side === "new") {
        what = set.isPut ? "released" : "none";
    } else {
        what = set.count === 0 ? "freed" : "given back";
    }
    const number = moved ?? (set.count === null ? null : { before: set.count, after: set.count });
    const isTold = number !== null && (set.there || moved !== null);
    return element(
        "th",
        { scope: "col", class: `rail ${side} ${set.there ? "there" : "gone"}` },
        element("span", { class: "title" }, title),
        element("span", { class: callers ? "owner callers" : "owner" }, what),
        element(
            "span",
            { class: "refs" },
            ...(isTold ? ["count ", count(number.before, number.after)] : []),
        ),
    );
}

function row(kind, id, both, moved, counts) {
    const tr = element("tr", { class: moved === undefined ? "" : "touched" });
    tr.append(
        slot(kind, id, both.old, "old"),
        element(
            "th",
            { scope: "row", class: "ns" },
            element("span", { class: "name" }, `${kind} ${id}`),
            counts?.constant ? element("span", { class: "note" }, "initial: constant") : null,
            counts === undefined ? element("span", { class: "note" }, "not seen yet") : null,
        ),
        number(counts?.ns_ref, moved),
        number(counts?.active, moved),
        slot(kind, id, both.new, "new"),
    );
    return tr;
}

function number(pair, moved) {
    if (pair === undefined) {
        return element("td", { class: "number" }, "–");
    }
    const [before, after] = pair;
    return element(
        "td",
        { class: "number" },
        count(moved === undefined ? after : before, after),
    );
}

// Which members of a set point at a namespace.
function slot(kind, id, set, side) {
    const members = SLOTS[kind].filter((member) => set.there && String(set.slots[member]) === id);
    const cell = element("td", { class: `rail ${side} ${set.there ? "there" : "gone"}` });
    if (members.length > 0) {
        cell.classList.add("points");
        cell.append(
            ...members.map((member) => element("code", { class: "slot" }, ...breakable(member))),
        );
    }
    return cell;
}

// A name that may be broken after its underscores.
function breakable(name) {
    return name.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]);
}
