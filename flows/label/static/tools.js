// Pointing: boxes, clicks, painting, with mouse, pen, finger or keys.

import { edit, nextRound } from "./edits.js";
import { canvas, draft, pan, place, shownHere, zoom } from "./picture.js";
import { boxOf, decode, encode } from "./rle.js";
import { changed, labelOf, promptOf, say, state } from "./state.js";

const HINTS = {
  box: "Drag a box around an object. K draws it with the arrow keys.",
  add: "Click on the object.",
  remove: "Click on what does not belong to the object.",
  paint: "Paint over what belongs to the object.",
  erase: "Paint over what does not belong to it.",
  hand: "Drag the picture; turn the wheel to zoom.",
};
let held = null; // what the pointer that is down does
let hinted = false;

export function useTool(tool) {
  state.tool = tool;
  draft.pointer = draft.box = null;
  say(HINTS[tool]);
  changed();
}

const round = (value) => Math.round(value * 10) / 10;
const limited = ({ x, y }) => [
  Math.min(Math.max(x, 0), state.about.width), Math.min(Math.max(y, 0), state.about.height),
];
const label = (id) => labelOf(id) || "object";

// `prompt` gives what is drawn of an object; both are asked for when earlier edits are done.
async function show(prompt) {
  const frame = state.frame;
  let id = null;
  const taken = await edit(() => {
    id = meant();
    const drawn = prompt(id, promptOf(id, frame));
    return drawn && { op: "show", prompt: { obj_id: id, frame, label: label(id), round: nextRound(), ...drawn } };
  });
  if (!taken) return;
  state.selected = id;
  state.isNew = false;
  if (!hinted) say("Give it a label. What is drawn next belongs to it, too; New object (N) begins another one.");
  hinted = true;
  changed();
}

// The object that a box or a click is about: the selected one, or a new one.
function meant() {
  return state.isNew || state.selected === null ? state.document.free_id : state.selected;
}

export function newObject() {
  state.isNew = true;
  state.selected = null;
  useTool("box");
  say("Drag a box around the new object.");
}

async function showBox(box) {
  if (box[2] - box[0] < 2 || box[3] - box[1] < 2) return say("That is too small for a box: drag it around the object.");
  await show(() => ({ box: box.map(round) }));
}

async function click(point, positive) {
  const tracked = shownHere().find((one) => one.obj_id === state.selected)?.mask;
  await show((id, known) => {
    const there = known?.box || known?.points?.some(([, , on]) => on);
    const box = known?.box ?? (!there && !positive && tracked ? boxOf(decode(tracked)) : null);
    if (!positive && !there && !box) {
      say("First say where the object is: a box, or a click on it.");
      return null;
    }
    return { box, points: [...(known?.points ?? []), [round(point.x), round(point.y), positive ? 1 : 0]] };
  });
}

function canvasOfMask(id) {
  const { width, height } = state.about;
  const shown = shownHere().find((one) => one.obj_id === id);
  const mask = new Uint8Array(width * height);
  if (shown?.mask) mask.set(decode(shown.mask).mask);
  return { id, width, height, mask };
}

function stroke(mask, from, to, value) {
  const radius = +document.getElementById("brush").value / 2;
  const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(1, radius / 2)));
  for (let step = 0; step <= steps; step++) {
    const [cx, cy] = [from.x + ((to.x - from.x) * step) / steps, from.y + ((to.y - from.y) * step) / steps];
    for (let y = Math.max(0, Math.ceil(cy - radius)); y < Math.min(mask.height, cy + radius); y++) {
      const half = Math.sqrt(Math.max(0, radius * radius - (y - cy) ** 2));
      const first = Math.max(0, Math.round(cx - half));
      const last = Math.min(mask.width, Math.round(cx + half));
      mask.mask.fill(value, y * mask.width + first, y * mask.width + last);
    }
  }
}

async function finishPainting(mask) {
  if (!boxOf(mask)) say("Nothing is left of the mask: say that the object is absent, if it is.");
  else await show(() => ({ mask: encode(mask) }));
  if (draft.mask === mask) draft.mask = null; // not the next stroke's
  changed();
}

function down(event) {
  if (!state.about || !state.document) return say(state.problem ?? "The video is still being read.");
  canvas.focus();
  canvas.setPointerCapture(event.pointerId);
  const at = place(event);
  if (state.tool === "hand" || event.button === 1) held = { pan: true };
  else if (state.tool === "box") held = { from: limited(at) };
  else if (state.tool === "add" || state.tool === "remove") click(at, state.tool === "add" && !event.shiftKey);
  else {
    draft.mask ??= canvasOfMask(meant());
    held = { last: at, value: state.tool === "paint" ? 1 : 0 };
    stroke(draft.mask, at, at, held.value);
  }
  changed();
}

function move(event) {
  if (!held) return;
  const at = place(event);
  if (held.pan) pan(event.movementX, event.movementY);
  else if (held.from) {
    const [x, y] = limited(at);
    const [u, v] = held.from;
    draft.box = [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
    draft.id = meant();
  } else {
    stroke(draft.mask, held.last, at, held.value);
    held.last = at;
  }
  changed();
}

async function up() {
  const was = held;
  held = null;
  if (!was || was.pan) return;
  if (was.from) {
    const box = draft.box;
    draft.box = null;
    if (box) await showBox(box);
    changed();
  } else await finishPainting(draft.mask);
}

// A box, or a place for a click, that the arrow keys move; Enter sets it.
export function startPointer() {
  const { width, height } = state.about;
  const known = promptOf(meant())?.box ?? shownHere().find((one) => one.obj_id === state.selected)?.box;
  const size = Math.min(width, height) / 4;
  draft.box = known ? [...known] : [width / 2 - size, height / 2 - size, width / 2 + size, height / 2 + size];
  draft.id = meant();
  draft.pointer = true;
  canvas.focus();
  say("Arrows move the box, Shift+arrows its lower right corner, with Alt by single pixels; Enter sets it, Escape not.");
  changed();
}

// Whether the key was for the box that keys draw.
export function pointerKey(event) {
  if (!draft.pointer) return false;
  const step = event.altKey ? 1 : Math.max(2, Math.round(state.about.width / 50));
  const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
  const [x0, y0, x1, y1] = draft.box;
  if (event.key === "Escape" || event.key === "Enter") {
    const box = draft.box;
    draft.box = draft.pointer = null;
    if (event.key === "Enter") pointed(box);
  } else if (!dx && !dy) return false;
  else if (event.shiftKey) draft.box = [x0, y0, Math.max(x0 + 2, x1 + dx), Math.max(y0 + 2, y1 + dy)];
  else draft.box = [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
  changed();
  return true;
}

async function pointed([x0, y0, x1, y1]) {
  if (state.tool === "add" || state.tool === "remove") {
    return click({ x: (x0 + x1) / 2, y: (y0 + y1) / 2 }, state.tool === "add");
  }
  const [left, top] = limited({ x: x0, y: y0 });
  const [right, bottom] = limited({ x: x1, y: y1 });
  return showBox([left, top, right, bottom]);
}

canvas.addEventListener("pointerdown", down);
canvas.addEventListener("pointermove", move);
canvas.addEventListener("pointerup", up);
canvas.addEventListener("pointercancel", () => {
  held = draft.box = draft.mask = null;
  changed();
});
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const at = place(event);
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, at.canvasX, at.canvasY);
  },
  { passive: false },
);
