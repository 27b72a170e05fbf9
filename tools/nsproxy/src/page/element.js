// SPDX-License-Identifier: GPL-2.0-only

// An element with its properties and what is in it. All text goes in as text.
function element(tag, properties = {}, ...content) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value !== null && value !== undefined && value !== false) {
            made.setAttribute(name, value === true ? "" : value);
        }
    }
    made.append(...content.filter((part) => part !== null));
    return made;
}

// Something that is there to be heard, not seen.
function spoken(text) {
    return element("span", { class: "spoken" }, text);
}

// "+1" and "−2", told apart by their signs, their arrows and their colours.
function signed(by) {
    const up = by > 0;
    return element(
        "span",
        { class: up ? "moved up" : "moved down" },
        element("span", { "aria-hidden": "true" }, up ? "▲" : "▼"),
        (up ? "+" : "−") + Math.abs(by),
    );
}

// A count after a step: what it is, or from what to what it moved.
function count(before, after) {
    if (before === after) {
        return element("span", { class: "count" }, String(after));
    }
    return element(
        "span",
        { class: "count" },
        `${before} → ${after} `,
        signed(after - before),
    );
}
