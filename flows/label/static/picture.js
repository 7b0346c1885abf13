// The frame with masks, boxes and points over it; zoom and pan.

import { colour, rgb } from "./colours.js";
import { decode } from "./rle.js";
import { changed, labelOf, promptsHere, state } from "./state.js";

export const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const view = { scale: 1, x: 0, y: 0, fitted: true };
const drawn = new WeakMap(); // masks as pictures
export const draft = { box: null, mask: null, pointer: null }; // what is just being drawn

function fit() {
  if (!state.about) return;
  const { width, height } = state.about;
  view.scale = Math.min(canvas.width / width, canvas.height / height);
  view.x = (canvas.width - width * view.scale) / 2;
  view.y = (canvas.height - height * view.scale) / 2;
  view.fitted = true;
}

export function zoomFit() {
  fit();
  changed();
}

export function zoom(factor, x = canvas.width / 2, y = canvas.height / 2) {
  view.x = x - (x - view.x) * factor;
  view.y = y - (y - view.y) * factor;
  view.scale *= factor;
  view.fitted = false;
  changed();
}

export function pan(dx, dy) {
  view.x += dx * devicePixelRatio;
  view.y += dy * devicePixelRatio;
  view.fitted = false;
  changed();
}

// Where in the picture a pointer is, in its pixels.
export function place(event) {
  const area = canvas.getBoundingClientRect();
  const x = (event.clientX - area.left) * devicePixelRatio;
  const y = (event.clientY - area.top) * devicePixelRatio;
  return { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale, canvasX: x, canvasY: y };
}

function maskPicture(mask, id) {
  const known = drawn.get(mask);
  if (known?.id === id) return known.picture;
  const pixels = mask.mask ? mask : decode(mask);
  const picture = new OffscreenCanvas(pixels.width, pixels.height);
  const image = new ImageData(pixels.width, pixels.height);
  const [r, g, b] = rgb(id);
  for (let one = 0; one < pixels.mask.length; one++) {
    if (pixels.mask[one]) image.data.set([r, g, b, 115], 4 * one);
  }
  picture.getContext("2d").putImageData(image, 0, 0);
  if (!mask.mask) drawn.set(mask, { id, picture }); // one that is being painted changes
  return picture;
}

function drawMask(mask, id) {
  const picture = maskPicture(mask, id);
  context.drawImage(picture, view.x, view.y, state.about.width * view.scale, state.about.height * view.scale);
}

function drawBox([x0, y0, x1, y1], id, text, dashed) {
  const [x, y] = [view.x + x0 * view.scale, view.y + y0 * view.scale];
  context.lineWidth = (id === state.selected ? 3 : 1.5) * devicePixelRatio;
  context.strokeStyle = colour(id);
  context.setLineDash(dashed ? [6 * devicePixelRatio, 4 * devicePixelRatio] : []);
  context.strokeRect(x, y, (x1 - x0) * view.scale, (y1 - y0) * view.scale);
  context.setLineDash([]);
  if (!text) return;
  context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const high = 17 * devicePixelRatio;
  const wide = context.measureText(text).width + 8 * devicePixelRatio;
  // Above the box; where there is no room, below it: never over the object.
  const under = view.y + y1 * view.scale;
  const top = y >= high || under + high > canvas.height ? Math.max(0, y - high) : under;
  const left = Math.max(0, Math.min(x, canvas.width - wide));
  context.fillStyle = colour(id);
  context.fillRect(left, top, wide, high);
  context.fillStyle = "#111";
  context.fillText(text, left + 4 * devicePixelRatio, top + 12.5 * devicePixelRatio);
}

function drawPoint([x, y, positive], id) {
  context.beginPath();
  context.arc(view.x + x * view.scale, view.y + y * view.scale, 6 * devicePixelRatio, 0, 7);
  context.fillStyle = positive ? colour(id) : "#fff";
  context.strokeStyle = positive ? "#fff" : "#b42318";
  context.lineWidth = 2.5 * devicePixelRatio;
  context.fill();
  context.stroke();
}

export const previewKey = (prompt) => JSON.stringify([prompt.frame, prompt.box, prompt.points, prompt.mask]);

// What is to be seen on this frame: of each object the newest that is known.
export function shownHere() {
  const found = new Map();
  for (const one of state.found ?? []) found.set(one.obj_id, { ...one, source: "results" });
  for (const one of state.ahead.get(state.frame) ?? []) found.set(one.obj_id, { ...one, source: "ahead" });
  for (const one of promptsHere()) {
    const preview = state.previews.get(previewKey(one));
    const before = found.get(one.obj_id);
    found.set(one.obj_id, {
      obj_id: one.obj_id, label: labelOf(one.obj_id) || one.label || before?.label || "", mask: preview?.mask ?? one.mask ?? null,
      box: one.box, points: one.points, source: "prompt", score: preview?.score ?? null,
    });
  }
  return [...found.values()];
}

function words(one) {
  const score = one.score == null || one.source === "prompt" ? "" : ` ${one.score.toFixed(2)}`;
  return `${one.obj_id} ${one.label ?? ""}${score}`;
}

export function draw() {
  const area = canvas.getBoundingClientRect();
  const [width, height] = [Math.round(area.width * devicePixelRatio), Math.round(area.height * devicePixelRatio)];
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    if (view.fitted) fit();
  }
  context.clearRect(0, 0, width, height);
  if (!state.about || !state.picture) return;
  if (view.fitted) fit();
  context.imageSmoothingEnabled = view.scale < 3;
  const size = [state.about.width * view.scale, state.about.height * view.scale];
  context.drawImage(state.picture, view.x, view.y, ...size);
  context.imageSmoothingEnabled = false;
  const shown = shownHere();
  for (const one of shown) {
    const painted = draft.mask && one.obj_id === draft.mask.id;
    if (one.mask && !painted) drawMask(one.mask, one.obj_id);
  }
  if (draft.mask) drawMask(draft.mask, draft.mask.id);
  for (const one of shown) {
    if (one.box) drawBox(one.box, one.obj_id, words(one), one.source === "ahead");
    else if (one.points?.length) drawPoint(one.points[0], one.obj_id);
    for (const point of one.points ?? []) drawPoint(point, one.obj_id);
  }
  if (draft.box) drawBox(draft.box, draft.id ?? state.document?.free_id ?? 1, "", true);
  const many = shown.length === 1 ? "1 object" : `${shown.length} objects`;
  canvas.setAttribute("aria-label", `Frame ${state.frame}: ${many}: ${shown.map(words).join(", ")}`);
}

export function fitNext() {
  view.fitted = true;
}
