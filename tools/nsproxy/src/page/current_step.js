// SPDX-License-Identifier: GPL-2.0-only

// The step in words.
function now(call, at, state) {
    const step = call.steps[at];
    const since = at === 0 ? 0 : step.time - call.steps[at - 1].time;
    const about = step.about === null ? "" : ` (${step.about.kind} ${step.about.id})`;
    const lines = [
        element(
            "p",
            { class: "what" },
            spoken(`Step ${at}: `),
            element("code", {}, step.function),
            element("span", { class: "says" }, `${step.says}${about}`),
            element("span", { class: "time" }, time(step.time), at === 0 ? "" : ` (+${time(since)})`),
        ),
    ];
    const moves = movesOf(step, state);
    const inWords = moves
        .slice(0, moves.length > 3 ? 0 : 3)
        .map(({ what, before, after }) => `${what} ${before} → ${after}`);
    if (isFirstLook(step)) {
        inWords.push(`nsproxy of the process: count ${step.nsproxy.after}`);
    }
    if (moves.length > 3) {
        inWords.push(`${moves.length} counts moved`);
    }
    lines.push(element("p", { class: "sum" }, inWords.join(", ") || "no count moved"));
    if (step.errno !== null) {
        lines.push(refusal(step, call.refusal));
    }
    return lines;
}

function refusal(step, why) {
    const { says, hints } = why ?? { hints: [] };
    return element(
        "p",
        { class: "refused" },
        element("strong", {}, `✕ ${step.errno}: decided here`),
        says ? `: ${says}.` : ".",
        hints.map((hint) => ` Hint: ${hint}.`).join(""),
    );
}

// What a step moved; `state` is what was after it.
function movesOf(step, state) {
    const moves = [];
    const add = (what, before, after) => {
        if (before !== after) {
            moves.push({ what, before, after });
        }
    };
    if (step.nsproxy !== null) {
        const names = { old: "old nsproxy", new: "new nsproxy", target: "nsproxy of the process" };
        const { before, after } = step.nsproxy;
        if (!isFirstLook(step)) {
            add(names[state.whose] ?? "nsproxy", before, after);
        }
    }
    for (const { kind, id, ns_ref, active } of step.counts) {
        add(`${kind} ${id} ns_ref`, ...ns_ref);
        add(`${kind} ${id} active`, ...active);
    }
    return moves;
}

// Whether a step only looks at an nsproxy that was there before: 0 is not its count then.
function isFirstLook(step) {
    return step.step === "target" && step.nsproxy?.before === 0;
}

// Time since the first step.
function time(ns) {
    return ns < 1000 ? `${ns} ns` : `${(Math.floor(ns / 100) / 10).toFixed(1)} µs`;
}
