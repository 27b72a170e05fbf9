// SPDX-License-Identifier: GPL-2.0-only

// What some functions are for, in a word.
const PURPOSE = {
    prepare_nsset: "prepare: all that may need memory",
    validate_ns: "validate: its kind may refuse",
    validate_nsset: "validate: the first no ends it",
    commit_nsset: "commit: cannot fail any more",
};

// The path of a call as boxes in boxes. Returns the links of the steps, in their order.
function drawPath(place, number, call) {
    const links = [];
    const root = element("ol", { class: "frame" });
    // The frames that are open: their names, and the lists that are in them.
    let names = [];
    let lists = [root];
    call.steps.forEach((step, at) => {
        const within = step.depth === 0 ? [] : ["setns", ...step.within];
        let shared = 0;
        while (shared < names.length && names[shared] === within[shared]) {
            shared += 1;
        }
        names = names.slice(0, shared);
        lists = lists.slice(0, shared + 1);
        for (const name of within.slice(shared)) {
            const list = element("ol", { class: "frame" });
            lists.at(-1).append(element("li", { class: "called" }, heading(name), list));
            names.push(name);
            lists.push(list);
        }
        // What a function does itself, and not by calling another one, is said in words.
        const isItself = step.function === (names.at(-1) ?? "setns");
        const link = box(step, number, at, isItself);
        links.push(link);
        lists.at(-1).append(element("li", {}, link));
    });
    place.replaceChildren(root);
    return links;
}

function heading(name) {
    return element(
        "p",
        { class: "caller" },
        element("code", {}, `${name}()`),
        PURPOSE[name] === undefined
            ? null
            : element("span", { class: "purpose" }, ` ${PURPOSE[name]}`),
    );
}

function box(step, number, at, isItself) {
    const refused = step.errno !== null;
    return element(
        "a",
        { class: refused ? "box refused" : "box", href: `#${address(number, at)}` },
        isItself
            ? element("span", { class: "function" }, step.says)
            : element("code", { class: "function" }, step.function),
        step.about === null
            ? null
            : element("span", { class: "about" }, `${step.about.kind} ${step.about.id}`),
        balance(step),
        refused
            ? element("strong", { class: "decided" }, `✕ ${step.errno}: decided here`)
            : null,
    );
}

// How many references a step took and gave back, in sum.
function balance(step) {
    let taken = 0;
    let given = 0;
    const add = ([before, after]) => {
        taken += Math.max(after - before, 0);
        given += Math.max(before - after, 0);
    };
    for (const counts of step.counts) {
        add(counts.ns_ref);
        add(counts.active);
    }
    if (step.nsproxy !== null && !isFirstLook(step)) {
        add([step.nsproxy.before, step.nsproxy.after]);
    }
    if (taken === 0 && given === 0) {
        return null;
    }
    return element(
        "span",
        { class: "balance" },
        taken > 0 ? signed(taken) : null,
        given > 0 ? signed(-given) : null,
    );
}

// Shows which of the links is the current one, and brings it into view.
function markPath(links, at) {
    links.forEach((link, place) => {
        link.classList.toggle("past", place < at);
        link.classList.toggle("future", place > at);
        if (place === at) {
            link.setAttribute("aria-current", "step");
        } else {
            link.removeAttribute("aria-current");
        }
    });
    const view = document.getElementById("path");
    const seen = view.getBoundingClientRect();
    const box = links[at].getBoundingClientRect();
    const margin = Math.min(seen.height / 4, 80);
    if (box.top < seen.top + margin) {
        view.scrollTop -= seen.top + margin - box.top;
    } else if (box.bottom > seen.bottom - margin) {
        view.scrollTop += box.bottom - (seen.bottom - margin);
    }
    // The page itself is not scrolled where the sets are below the path: they may be looked at.
    if (matchMedia("(min-width: 58rem)").matches) {
        links[at].scrollIntoView({ block: "nearest" });
    }
}
