// Objects, and what can be said of them on this frame or over a span.

import { colour } from "./colours.js";
import { edit } from "./edits.js";
import { changed, known, objects, promptOf, say, state } from "./state.js";

const byId = (id) => document.getElementById(id);
const list = byId("objects");

function row({ id, label }) {
  const item = document.createElement("li");
  const pick = Object.assign(document.createElement("button"), { type: "button", className: "pick" });
  const swatch = document.createElement("i");
  swatch.style.background = colour(id);
  pick.append(swatch, String(id));
  pick.title = "Select it";
  pick.addEventListener("click", () => select(id));
  const name = Object.assign(document.createElement("input"), { type: "text", value: label });
  name.setAttribute("aria-label", `Label of object ${id}`);
  name.addEventListener("change", () => name.value.trim() && edit({ op: "rename", obj_id: id, label: name.value.trim() }));
  const more = Object.assign(document.createElement("span"), { className: "more" });
  const drop = Object.assign(document.createElement("button"), { type: "button", textContent: "×", title: "Delete it" });
  drop.setAttribute("aria-label", `Delete object ${id}`);
  drop.addEventListener("click", () => deleteObject(id));
  const merge = document.createElement("select");
  merge.setAttribute("aria-label", `Object ${id} is really`);
  merge.title = "It is really another one";
  merge.append(new Option("is…", ""), ...objects().filter((o) => o.id !== id).map((o) => new Option(`${o.id} ${o.label}`, o.id)));
  merge.addEventListener("change", () => merge.value && edit({ op: "merge", obj_id: id, into: +merge.value }));
  if (state.document.kind === "corrections") more.append(merge);
  more.append(drop);
  item.append(pick, name, more);
  item.dataset.id = id;
  return item;
}

export function select(id) {
  state.selected = id;
  state.isNew = false;
  changed();
}

export async function deleteObject(id) {
  if (state.document.kind === "prompts") {
    for (const one of known().prompts.filter((prompt) => prompt.obj_id === id)) {
      await edit({ op: "unshow", obj_id: id, frame: one.frame });
    }
    await edit({ op: "unhide", obj_id: id });
  } else await edit({ op: "hide", obj_id: id });
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
  say(first === last ? `Frame ${first} is accepted and will not change.` : "The span is accepted and will not change.");
}

export async function absent() {
  if (!needsObject()) return;
  const { first, last } = span(true);
  await edit({ op: "hide", obj_id: state.selected, first, last });
  say(`Object ${state.selected} is absent from frame ${first} ${last === null ? "on" : `to ${last}`}.`);
}

export async function unshow() {
  if (!needsObject()) return;
  if (!promptOf(state.selected)) return say("Nothing is drawn of the selected object on this frame.");
  await edit({ op: "unshow", obj_id: state.selected, frame: state.frame });
}

export async function split() {
  if (!needsObject()) return;
  if (state.document.kind === "prompts") return say("Objects are split in results: run first.");
  if (state.frame === 0) return say("An object is split at the first frame on which it is another one.");
  const id = state.document.free_id;
  if (await edit({ op: "split", obj_id: state.selected, frame: state.frame, new_id: id })) select(id);
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
  if (now !== shown && !list.contains(document.activeElement)) {
    list.replaceChildren(...all.map(row));
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
  byId("saved").textContent = `Saved in ${state.document.file}`;
  const corrections = state.document.kind === "corrections";
  byId("accept").hidden = byId("split").hidden = !corrections;
  byId("first-run").hidden = corrections;
  byId("exports").hidden = !corrections;
  byId("fps").placeholder = byId("flow").value === "track-videos" ? "all" : "1";
}
