// The frames to look at, the most suspicious first.

import { get } from "./api.js";
import { path, show } from "./frames.js";
import { select } from "./panel.js";
import { changed, known, labelOf, state } from "./state.js";

const queue = document.getElementById("queue");
const SHOWN = 30;

export async function loadReview() {
  state.review = await get(path("review"));
  state.reviewed = -1;
  queue.replaceChildren(...state.review.slice(0, SHOWN).map(entry));
  changed();
}

function entry(one, place) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button" });
  const why = Object.assign(document.createElement("small"), { textContent: one.why });
  button.append(`Frame ${one.source_frame}: ${one.obj_id} ${labelOf(+one.obj_id) || one.label}`, why);
  button.addEventListener("click", () => look(place));
  item.append(button);
  return item;
}

async function look(place) {
  state.reviewed = place;
  const one = state.review[place];
  select(+one.obj_id || state.selected);
  queue.children[place]?.scrollIntoView({ block: "nearest" });
  await show(one.source_frame);
}

const settled = (one) =>
  known().accepted.some((span) => (span.first ?? 0) <= one.source_frame && (span.last == null || one.source_frame <= span.last)) ||
  known().prompts.some((prompt) => prompt.frame === one.source_frame);

export function next() {
  const place = state.review.findIndex((one, index) => index > state.reviewed && !settled(one));
  if (place >= 0) return look(place);
  state.reviewed = -1;
  document.getElementById("review-left").textContent = "That was the last one.";
}

export function draw() {
  document.getElementById("review").hidden = !state.review.length;
  const open = state.review.filter((one) => !settled(one)).length;
  document.getElementById("review-left").textContent = open ? `${open} left` : "All are settled.";
  [...queue.querySelectorAll("button")].forEach((button, place) => {
    button.setAttribute("aria-pressed", place === state.reviewed);
  });
}
