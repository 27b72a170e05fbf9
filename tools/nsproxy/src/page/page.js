// SPDX-License-Identifier: GPL-2.0-only

const { calls } = JSON.parse(document.getElementById("trace").textContent);
const byId = (id) => document.getElementById(id);
const address = (call, step) => `#call=${call}&step=${step}`;

const shown = { call: 0, step: 0 };

function show(call, step) {
    shown.call = call;
    shown.step = step;
    document.querySelectorAll(".call").forEach((each, number) => {
        each.hidden = number !== call;
    });
    document.querySelectorAll("#calls a").forEach((link, number) => {
        link.setAttribute("aria-current", number === call);
    });

    const last = calls[call].steps.length - 1;
    byId("slider").max = last;
    byId("slider").value = step;
    byId("where").value = `step ${step} of ${last}`;
    for (const [id, end] of [["first", 0], ["back", 0], ["next", last], ["last", last]]) {
        // The attribute "disabled" would remove the focus.
        byId(id).setAttribute("aria-disabled", step === end);
    }

    const path = byId(`call-${call}`).querySelector(".path");
    const steps = [...path.querySelectorAll(".step")];
    steps.forEach((each, number) => {
        each.classList.toggle("future", number > step);
        each.setAttribute("aria-current", number === step ? "step" : "false");
    });
    const detail = steps[step].querySelector(".detail").cloneNode(true);
    const lines = detail.querySelector(".lines");
    lines?.remove();
    byId("lines").hidden = lines === null;
    byId("lines").replaceChildren(...(lines === null ? [] : [lines]));
    byId("lines").scrollTop = 0;
    byId("now").replaceChildren(
        element("h3", "", ...steps[step].querySelector("a").cloneNode(true).childNodes),
        ...detail.childNodes,
    );
    byId("sets").replaceChildren(...drawSets(calls[call], step));
    scroll(path, steps[step]);
    if (location.hash !== address(call, step)) {
        history.replaceState(null, "", address(call, step));
    }
}

// Scrolls to what moved. If not all of it fits, the rows that did not move are hidden.
function scroll(path, step) {
    // On a narrow screen, these cover the top and the bottom of the page.
    for (const id of ["bar", "lines"]) {
        const isSticky = getComputedStyle(byId(id)).position === "sticky";
        const height = isSticky ? byId(id).offsetHeight : 0;
        document.documentElement.style.setProperty(`--${id}`, `${height}px`);
    }
    for (const isFolded of [false, true]) {
        byId("sets").classList.toggle("folded", isFolded);
        if (scrollToMoved()) {
            break;
        }
    }
    // On a narrow screen the path is below the table, and not scrolled to.
    if (getComputedStyle(path).overflowY === "auto") {
        step.scrollIntoView({ block: "nearest" });
    }
}

// Scrolls to what moved, at least to the first of it. Returns whether all of it is visible.
function scrollToMoved() {
    const moved = [...document.querySelectorAll("#sets .moved")];
    for (const each of [moved.at(-1), moved[0]]) {
        each?.scrollIntoView({ block: "nearest" });
    }
    const { top, bottom } = visibleArea();
    return moved.every((each) => {
        const rectangle = each.getBoundingClientRect();
        return rectangle.top >= top && rectangle.bottom <= bottom;
    });
}

// Returns the area in which the tables are visible.
function visibleArea() {
    const state = byId("state");
    if (getComputedStyle(state).overflowY === "auto") {
        return state.getBoundingClientRect();
    }
    const isCovered = getComputedStyle(byId("lines")).position === "sticky";
    const { bottom: top } = byId("bar").getBoundingClientRect();
    const bottom = isCovered ? byId("lines").getBoundingClientRect().top : innerHeight;
    return { top, bottom };
}

// Shows the step in the address of the page, or the first step.
function follow() {
    const named = /^#call=(\d+)(?:&step=(\d+))?$/.exec(location.hash);
    const call = Math.min(Number(named?.[1] ?? 0), calls.length - 1);
    show(call, Math.min(Number(named?.[2] ?? 0), calls[call].steps.length - 1));
}

function move(to) {
    show(shown.call, Math.max(0, Math.min(to, calls[shown.call].steps.length - 1)));
}

function moveCall(by) {
    if (calls[shown.call + by] !== undefined) {
        show(shown.call + by, 0);
    }
}

const KEYS = {
    ArrowLeft: () => move(shown.step - 1),
    ArrowRight: () => move(shown.step + 1),
    Home: () => move(0),
    End: () => move(Infinity),
    ArrowUp: () => moveCall(-1),
    ArrowDown: () => moveCall(1),
};
if (calls.length === 1) {
    delete KEYS.ArrowUp;
    delete KEYS.ArrowDown;
}

function start() {
    byId("first").addEventListener("click", KEYS.Home);
    byId("back").addEventListener("click", KEYS.ArrowLeft);
    byId("next").addEventListener("click", KEYS.ArrowRight);
    byId("last").addEventListener("click", KEYS.End);
    byId("slider").addEventListener("input", (event) => move(Number(event.target.value)));
    document.addEventListener("keydown", (event) => {
        const isPlain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
        if (isPlain && Object.hasOwn(KEYS, event.key)) {
            event.preventDefault();
            KEYS[event.key]();
        }
    });
    window.addEventListener("hashchange", follow);
    window.addEventListener("resize", () => show(shown.call, shown.step));

    // A link would scroll to the element with its address.
    document.querySelectorAll(".step").forEach((step) => step.removeAttribute("id"));
    byId("calls").hidden = calls.length === 1;
    calls.forEach(({ call, refusal }, number) => {
        const result = refusal === null ? "✓" : `✕ ${refusal.errno}`;
        const link = element("a", refusal === null ? "" : "refused", `${result} ${call}`);
        link.href = address(number, 0);
        byId("calls").append(link);
    });
    document.documentElement.classList.add("js");
    byId("bar").hidden = false;
    follow();
}

if (calls.length > 0) {
    start();
}
