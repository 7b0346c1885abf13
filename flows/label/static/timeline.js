// The whole video at a glance: a lane for each object, what was accepted, what to look at, where this frame is.

import { colour } from "./colours.js";
import { path, show } from "./frames.js";
import { changed, known, objects, state } from "./state.js";

const box = document.getElementById("timeline");
const canvas = box.querySelector("canvas");
const strip = document.getElementById("thumbnails");
const LANE = 15;
const LEFT = 110; // for names
const TOP = 12;

const x = (frame) => LEFT + ((canvas.clientWidth - LEFT - 6) * frame) / Math.max(1, state.about.frames - 1);

export function draw() {
  if (!state.about) return;
  const all = objects();
  const [width, height] = [box.clientWidth - 2, Math.max(box.clientHeight - 2, TOP + LANE * all.length + 4)];
  const ratio = devicePixelRatio;
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, accent, good, bad] = ["--ink", "--soft", "--accent", "--good", "--bad"].map((name) => style.getPropertyValue(name));
  const span = (first, last, y, high, fill) => {
    context.fillStyle = fill;
    const end = last == null ? state.about.frames - 1 : last;
    context.fillRect(x(first ?? 0), y, Math.max(2, x(end) - x(first ?? 0)), high);
  };
  for (const one of known().accepted) if (one.obj_id == null) span(one.first, one.last, 0, 5, good);
  for (const one of state.review) {
    context.fillStyle = bad;
    context.fillRect(x(one.source_frame) - 1, 6, 2, 5);
  }
  context.font = "11px system-ui, sans-serif";
  all.forEach(({ id, label }, row) => {
    const y = TOP + row * LANE;
    context.fillStyle = id === state.selected ? accent : ink;
    context.fillText(`${id} ${label}`.slice(0, 17), 4, y + 11);
    const lane = state.document.lanes.find((one) => one.obj_id === id);
    for (const [first, last, score] of lane?.runs ?? []) {
      context.globalAlpha = score == null ? 0.8 : 0.35 + 0.65 * score;
      span(first, last, y + 3, LANE - 6, colour(id));
      context.globalAlpha = 1;
    }
    for (const one of known().accepted) if (one.obj_id === id) span(one.first, one.last, y + 1, 2, good);
    for (const one of known().absent) if (one.obj_id === id) span(one.first, one.last, y + LANE / 2, 1, soft);
    context.fillStyle = ink;
    for (const one of known().prompts.filter((prompt) => prompt.obj_id === id)) {
      context.beginPath();
      context.arc(x(one.frame), y + LANE / 2, 3.5, 0, 7);
      context.fill();
    }
  });
  if (state.span.first !== null || state.span.last !== null) {
    context.globalAlpha = 0.18;
    span(state.span.first ?? 0, state.span.last, 0, height, accent);
    context.globalAlpha = 1;
  }
  for (const frame of state.ahead.keys()) span(frame, frame, height - 3, 3, accent);
  context.fillStyle = bad;
  context.fillRect(x(state.frame) - 1, 0, 2, height);
  box.setAttribute("aria-valuemax", state.about.frames - 1);
  box.setAttribute("aria-valuenow", state.frame);
  box.setAttribute("aria-valuetext", `frame ${state.frame} of ${state.about.frames}`);
}

export function showThumbnails() {
  const count = Math.max(4, Math.floor(strip.clientWidth / 90));
  strip.replaceChildren(
    ...Array.from({ length: count }, (_, place) => {
      const image = new Image();
      image.loading = "lazy";
      image.alt = "";
      image.src = path(`thumbnails/${Math.floor(((place + 0.5) * state.about.frames) / count)}.jpg?v=${state.about.version}`);
      return image;
    }),
  );
  strip.style.paddingLeft = `${LEFT}px`;
}

function seek(event) {
  const area = canvas.getBoundingClientRect();
  const share = (event.clientX - area.left - LEFT) / (area.width - LEFT - 6);
  show(share * (state.about.frames - 1));
}

box.addEventListener("pointerdown", (event) => {
  box.setPointerCapture(event.pointerId);
  seek(event);
});
box.addEventListener("pointermove", (event) => {
  if (box.hasPointerCapture(event.pointerId)) seek(event);
});
new ResizeObserver(changed).observe(box);
