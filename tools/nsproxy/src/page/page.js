// SPDX-License-Identifier: GPL-2.0-only

function address(call, step) {
    return `call=${call}&step=${step}`;
}

const { calls } = JSON.parse(document.getElementById("trace").textContent);
const byId = (id) => document.getElementById(id);

// What is shown.
const shown = { call: 0, step: 0, links: [] };

function show(call, step) {
    const isOther = call !== shown.call || shown.links.length === 0;
    shown.call = call;
    shown.step = step;
    if (isOther) {
        showCall();
    }
    showStep();
}

function showCall() {
    const call = calls[shown.call];
    calls.forEach((_, number) => {
        byId(`call-${number}`).classList.toggle("other", number !== shown.call);
    });
    for (const link of byId("calls").querySelectorAll("a")) {
        link.setAttribute("aria-current", Number(link.dataset.call) === shown.call);
    }
    byId("slider").max = call.steps.length - 1;
    shown.links = drawPath(byId("path"), shown.call, call);
}

function showStep() {
    const call = calls[shown.call];
    const at = shown.step;
    const last = call.steps.length - 1;
    const state = replay(call, at);
    markPath(shown.links, at);
    drawSets(byId("sets"), call, at, state);
    byId("now").replaceChildren(...now(call, at, state));
    byId("where").value = `step ${at} of ${last}`;
    byId("slider").value = at;
    byId("slider").setAttribute("aria-valuetext", `${at} of ${last}`);
    for (const [id, isAtEnd] of [
        ["first", at === 0],
        ["back", at === 0],
        ["next", at === last],
        ["last", at === last],
    ]) {
        // Not `disabled`, which would take the focus away.
        byId(id).setAttribute("aria-disabled", isAtEnd);
    }
    const hash = `#${address(shown.call, at)}`;
    if (location.hash !== hash) {
        history.replaceState(null, "", hash);
    }
}

// The step that the address names, or the first one.
function follow() {
    const named = /^#call=(\d+)(?:&step=(\d+))?$/.exec(location.hash);
    const call = Math.min(Number(named?.[1] ?? 0), calls.length - 1);
    const step = Math.min(Number(named?.[2] ?? 0), calls[call].steps.length - 1);
    show(call, step);
}

function move(to) {
    show(shown.call, Math.max(0, Math.min(to, calls[shown.call].steps.length - 1)));
}

function moveCall(by) {
    const call = shown.call + by;
    if (call >= 0 && call < calls.length) {
        show(call, 0);
    }
}

const KEYS = {
    ArrowLeft: () => move(shown.step - 1),
    ArrowRight: () => move(shown.step + 1),
    Home: () => move(0),
    End: () => move(Infinity),
};
if (calls.length > 1) {
    KEYS.ArrowUp = () => moveCall(-1);
    KEYS.ArrowDown = () => moveCall(1);
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

    if (calls.length > 1) {
        document.documentElement.classList.add("several");
        byId("calls").hidden = false;
        byId("keys-calls").hidden = false;
        byId("calls").append(
            element(
                "ul",
                {},
                ...calls.map(({ call, refusal, dry_run, as_of_2011 }, number) =>
                    element(
                        "li",
                        {},
                        element(
                            "a",
                            {
                                href: `#${address(number, 0)}`,
                                "data-call": number,
                                class: refusal === null ? "" : "refused",
                            },
                            element("span", { class: "result" }, refusal === null ? "✓" : `✕ ${refusal.errno}`),
                            element("span", {}, call),
                            dry_run ? element("span", { class: "badge" }, "dry run") : null,
                            as_of_2011 ? element("span", { class: "badge" }, "as of 2011") : null,
                        ),
                    ),
                ),
            ),
        );
    }
    // An address leads to the picture, and takes the focus nowhere else.
    for (const line of document.querySelectorAll(".written li")) {
        line.removeAttribute("id");
    }
    byId("stage").hidden = false;
    follow();
}

if (calls.length > 0) {
    start();
}
