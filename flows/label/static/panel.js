// Objects, and what can be said of them on this frame or over a span.

import { colour } from "./colours.js";
import { edit, nextRound } from "./edits.js";
import { changed, known, objects, promptOf, say, state } from "./state.js";

const byId = (id) => document.getElementById(id);
const list = byId("objects");

const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

function row({ id, label }) {
  const item = make("li", {});
  const pick = make("button", { type: "button", className: "pick", title: "Select it" });
  const swatch = make("i", {});
  swatch.style.background = colour(id);
  pick.append(swatch, String(id));
  pick.addEventListener("click", () => select(id));
  const name = make("input", { type: "text", value: label });
  name.setAttribute("aria-label", `Label of object ${id}`);
  name.addEventListener("change", () => name.value.trim() && edit({ op: "rename", obj_id: id, label: name.value.trim() }));
  const more = make("span", { className: "more" });
  const drop = make("button", { type: "button", textContent: "×", title: "Delete it" });
  drop.setAttribute("aria-label", `Delete object ${id}`);
  drop.addEventListener("click", () => deleteObject(id));
  if (state.document.kind === "corrections") more.append(...merging(id));
  more.append(drop);
  item.append(pick, name, more);
  item.dataset.id = id;
  return item;
}

// Which other object it really is; nothing happens before that is confirmed.
function merging(id) {
  const others = make("select", { title: "It is really another one" });
  others.setAttribute("aria-label", `Object ${id} is really`);
  others.append(new Option("is…", ""), ...objects().filter((o) => o.id !== id).map((o) => new Option(`${o.id} ${o.label}`, o.id)));
  const sure = make("button", { type: "button", textContent: "Merge", hidden: true });
  sure.setAttribute("aria-label", `Merge object ${id} into it`);
  others.addEventListener("change", () => (sure.hidden = !others.value));
  sure.addEventListener("click", async () => {
    const into = +others.value;
    if (await edit({ op: "merge", obj_id: id, into })) {
      select(into);
      say(`Object ${id} is object ${into} now.`);
    }
  });
  return [others, sure];
}

export function select(id) {
  state.selected = id;
  state.isNew = false;
  changed();
}

export async function deleteObject(id) {
  if (state.document.kind === "prompts") {
    for (const one of known().prompts.filter((prompt) => prompt.obj_id === id)) {
      await edit({ op: "unshow", obj_id: id, frame: one.frame, round: nextRound() });
    }
    await edit({ op: "unhide", obj_id: id, round: nextRound() });
  } else await edit({ op: "hide", obj_id: id, round: nextRound() });
  if (state.selected === id) state.selected = null;
  say(`Object ${id} is deleted. Undo brings it back.`);
}

function needsObject() {
  if (state.selected === null) say("Select an object first.");
  return state.selected !== null;
}

// The span that was set; else only this frame, or from here to the end.
function span(toEnd) {
  const { first, last } = state.span;
  if (first === null && last === null) return { first: state.frame, last: toEnd ? null : state.frame };
  return { first: Math.min(first ?? 0, last ?? Infinity), last: last ?? (first === null ? state.frame : null) };
}

const acceptedHere = () =>
  known().accepted.find((one) => one.first <= state.frame && (one.last == null || state.frame <= one.last));

export async function accept() {
  if (state.document.kind === "prompts") return say("There is nothing to accept before a run.");
  const accepted = acceptedHere();
  if (accepted && state.span.first === null && state.span.last === null) {
    await edit({ op: "unaccept", obj_id: accepted.obj_id ?? null, first: accepted.first, last: accepted.last });
    return say("These frames may be changed again.");
  }
  const { first, last } = span(false);
  await edit({ op: "accept", first, last, round: state.document.round });
  const what = first === last ? `Frame ${first} is accepted, with all objects on it` : "The span is accepted, with all objects";
  say(`${what}: later corrections do not change it.`);
}

export async function absent() {
  if (!needsObject()) return;
  const { first, last } = span(true);
  if (!(await edit({ op: "hide", obj_id: state.selected, first, last, round: nextRound() }))) return;
  const meets = (one) => (last === null || one.first <= last) && (one.last == null || one.last >= first);
  const except = known().accepted.some(meets) ? ", but for accepted frames" : "";
  say(`Object ${state.selected} is absent from frame ${first} ${last === null ? "on" : `to ${last}`}${except}.`);
}

export async function unshow() {
  if (!needsObject()) return;
  if (!promptOf(state.selected)) return say("Nothing is drawn of the selected object on this frame.");
  const frame = state.frame;
  if (await edit({ op: "unshow", obj_id: state.selected, frame, round: nextRound() })) say(`Nothing is drawn of it on frame ${frame} any more.`);
}

export async function split() {
  if (!needsObject()) return;
  if (state.document.kind === "prompts") return say("Objects are split in results: run first.");
  if (state.frame === 0) return say("An object is split at the first frame on which it is another one.");
  const [old, frame] = [state.selected, state.frame];
  const later = state.document.lanes.find((one) => one.obj_id === old)?.runs.some(([, last]) => last >= frame);
  if (!later) return say(`Object ${old} is not seen from here on: there is nothing to split.`);
  let id = null;
  if (await edit(() => ({ op: "split", obj_id: old, frame, new_id: (id = state.document.free_id) }))) {
    select(id);
    say(`From frame ${frame} on it is object ${id}.`);
  }
}

export function setSpan(end) {
  state.span[end] = state.frame;
  if (state.span.first !== null && state.span.last !== null && state.span.first > state.span.last) {
    state.span[end === "first" ? "last" : "first"] = null;
  }
  changed();
}

export function clearSpan() {
  state.span = { first: null, last: null };
  changed();
}

let shown = "";

export function draw() {
  if (!state.document) return;
  const all = objects();
  const now = JSON.stringify([all, state.document.kind]);
  const writing = list.contains(document.activeElement) && document.activeElement.matches("input");
  if (now !== shown && !writing) {
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    list.replaceChildren(...all.map(row));
    if (focused) ([...list.querySelectorAll("[aria-label]")].find((one) => one.ariaLabel === focused) ?? byId("new-object")).focus();
    shown = now;
  }
  for (const item of list.children) item.setAttribute("aria-current", +item.dataset.id === state.selected);
  byId("no-objects").hidden = all.length > 0;
  byId("new-object").setAttribute("aria-pressed", state.isNew);
  const { first, last } = state.span;
  const words = first === null && last === null ? "" : `span ${first ?? 0} to ${last ?? "the end"}`;
  byId("span-words").textContent = words;
  byId("span-clear").hidden = !words;
  const taken = acceptedHere() && !words;
  byId("accept").textContent = taken ? "Not accepted" : "Accept";
  byId("accept").title = taken ? "These frames may be changed again (A)" : "These frames are right, and stay as they are (A)";
  byId("problems").replaceChildren(
    ...state.document.problems.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  byId("saved").textContent = `Edits are saved in ${state.document.file}`;
  const corrections = state.document.kind === "corrections";
  byId("accept").hidden = byId("split").hidden = !corrections;
  byId("first-run").hidden = corrections;
  byId("exports").hidden = !corrections;
  byId("fps").placeholder = byId("flow").value === "track-videos" ? "all" : "1";
}
