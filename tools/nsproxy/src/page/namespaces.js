// SPDX-License-Identifier: GPL-2.0-only

// Creates an element. The content is text or elements, never markup.
function element(tag, className, ...content) {
    const created = document.createElement(tag);
    created.className = className;
    created.append(...content);
    return created;
}

// The kinds of each table, in the order in which a call installs them.
const TABLES = {
    nsproxy: ["mnt", "uts", "ipc", "pid", "cgroup", "net", "time"],
    cred: ["user"],
};

// Returns the ids of all namespaces of a call by kind. All of them have a row at each step, so
// that rows keep their places.
function namespaces(call) {
    const all = {};
    const add = (kind, id) => (all[kind] ??= new Set()).add(String(id));
    for (const [kind, members] of Object.entries(MEMBERS)) {
        for (const ids of [call.before, call.after]) {
            members.filter((member) => member in ids).forEach((member) => add(kind, ids[member]));
        }
    }
    for (const { counts, about } of call.steps) {
        counts.forEach(({ kind, id }) => add(kind, id));
        if (about !== null) {
            add(about.kind, about.id);
        }
    }
    return all;
}

// Returns whether the caller may see the counts. Otherwise those of the document are 0.
function hasCounts(call) {
    return call.steps[0].nsproxy !== null;
}

// Draws the state after a step: a table for the nsproxy, and one for the cred. A row or a head
// that the step changed has the class "moved".
function drawSets(call, at) {
    const all = namespaces(call);
    const step = call.steps[at];
    const state = replay(call, at);
    return Object.entries(TABLES).map(([name, kinds]) => {
        const set = state[name];
        const counted = name === "nsproxy" ? COUNTED[step.step] : undefined;
        const isSwitch = step.step === (name === "nsproxy" ? "switch" : "commit-creds");
        const head = (side) => {
            const nsproxy = counted === side ? step.nsproxy : null;
            return drawHead(`${side} ${name}`, side, set, nsproxy, isSwitch);
        };
        const titles = ["namespace", "ns_ref", "active"];
        const table = element("table", "");
        table.createTHead().append(
            element(
                "tr",
                "",
                head("old"),
                ...titles.map((title) => element("th", "", title)),
                head("new"),
            ),
        );
        const body = table.createTBody();
        for (const kind of kinds) {
            for (const id of all[kind] ?? []) {
                const counts = state.counts.get(id);
                const isKnown = counts?.constant || hasCounts(call);
                body.append(drawRow(kind, id, set, step, isKnown ? counts : undefined));
            }
        }
        return table;
    });
}

function drawHead(title, side, set, nsproxy, isSwitch) {
    const { exists, isPut, count } = set[side];
    const isCallers = set.callers === side;
    let role;
    if (isCallers) {
        role = "the caller’s";
    } else if (side === "new") {
        role = exists ? "being built" : isPut ? "released" : "none yet";
    } else if (exists) {
        role = isPut ? "of other tasks" : "to be put";
    } else {
        role = count === 0 ? "freed" : "put";
    }
    const head = element("th", exists ? "set" : "set gone", title);
    head.append(element("span", isCallers ? "role callers" : "role", role));
    const { before, after } = nsproxy ?? { before: count, after: count };
    if (after !== null && (exists || nsproxy !== null)) {
        head.append(element("span", "role", "count ", drawCount(before, after)));
    }
    const isMoved = isSwitch || (nsproxy !== null && before !== after);
    head.classList.toggle("moved", isMoved);
    return head;
}

function drawRow(kind, id, set, step, counts) {
    const entry = step.counts.find((entry) => String(entry.id) === id);
    const isAbout = step.about !== null && String(step.about.id) === id;
    const isCounted = (count) => entry !== undefined && entry[count][0] !== entry[count][1];
    const name = element("th", "", `${kind} ${id}`);
    if (counts?.constant) {
        name.append(" ", element("span", "note", "initial"));
    }
    const count = (name) => {
        const [before, after] = counts?.[name] ?? ["–", "–"];
        return element("td", "", drawCount(entry === undefined ? after : before, after));
    };
    const isMoved = isAbout || isCounted("ns_ref") || isCounted("active");
    return element(
        "tr",
        isMoved ? "moved" : "",
        drawPointer(kind, id, set.old, "old"),
        name,
        count("ns_ref"),
        count("active"),
        drawPointer(kind, id, set.new, "new"),
    );
}

function drawCount(before, after) {
    return before === after
        ? String(after)
        : element("span", before < after ? "nowrap up" : "nowrap down", `${before} → ${after}`);
}

// Draws the members of a set that point at a namespace.
function drawPointer(kind, id, { exists, members }, side) {
    const pointing = MEMBERS[kind].filter((member) => exists && String(members[member]) === id);
    const cell = element("td", `set ${side}${exists ? "" : " gone"}`);
    for (const member of pointing) {
        // Allows a line break after each underscore.
        const parts = member.split(/(?<=_)/).flatMap((part) => [part, element("wbr", "")]);
        cell.append(element("code", "member", ...parts));
    }
    return cell;
}
