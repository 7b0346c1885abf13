// Everything from the keyboard.

import { redo, undo } from "./edits.js";
import { show, step, stepKey, stepSeconds, togglePlay } from "./frames.js";
import { absent, accept, clearSpan, select, setSpan, split, unshow } from "./panel.js";
import { zoom, zoomFit } from "./picture.js";
import { next } from "./review.js";
import { lookAhead, startRun } from "./runs.js";
import { objects, state } from "./state.js";
import { newObject, pointerKey, startPointer, useTool } from "./tools.js";

const help = document.getElementById("help");
const KEYS = [
  ["←, →", "a frame back, on", { ArrowLeft: () => step(-1), ArrowRight: () => step(1) }],
  ["Shift+←, →", "a second back, on", { "Shift+ArrowLeft": () => stepSeconds(-1), "Shift+ArrowRight": () => stepSeconds(1) }],
  [", .", "the key frame before, after", { ",": () => stepKey(-1), ".": () => stepKey(1) }],
  ["Home, End", "first, last frame", { Home: () => show(0), End: () => show(Infinity) }],
  ["Space", "play, stop", { " ": togglePlay }],
  ["B", "box", { b: () => useTool("box") }],
  ["K", "box with the arrow keys", { k: startPointer }],
  ["C, V", "click on, beside the object", { c: () => useTool("add"), v: () => useTool("remove") }],
  ["P, E", "paint, erase", { p: () => useTool("paint"), e: () => useTool("erase") }],
  ["H", "hand: move the picture", { h: () => useTool("hand") }],
  ["+, −, 0", "zoom in, out, whole picture", { "+": () => zoom(1.25), "-": () => zoom(0.8), 0: zoomFit }],
  ["N", "new object", { n: newObject }],
  ["1 … 9", "select an object", {}],
  ["Delete", "remove what is drawn here", { Delete: unshow }],
  ["G", "the object is absent from here on, or in the span", { g: absent }],
  ["S", "split the object here", { s: split }],
  ["[ ]", "a span begins, ends here", { "[": () => setSpan("first"), "]": () => setSpan("last") }],
  ["Escape", "no span", { Escape: clearSpan }],
  ["A", "accept this frame, or the span", { a: accept }],
  ["R", "next frame to look at", { r: next }],
  ["L", "track ahead", { l: lookAhead }],
  ["Ctrl+Enter", "run", { "Ctrl+Enter": startRun }],
  ["Z, Shift+Z", "undo, redo", { z: undo, "Ctrl+z": undo, "Shift+Z": redo, "Ctrl+Shift+Z": redo }],
  ["?", "this list", { "Shift+?": () => help.showModal(), "?": () => help.showModal() }],
];
const actions = Object.assign({}, ...KEYS.map(([, , keys]) => keys));

document.getElementById("keys").append(
  ...KEYS.flatMap(([keys, what]) => [
    Object.assign(document.createElement("dt"), { textContent: keys }),
    Object.assign(document.createElement("dd"), { textContent: what }),
  ]),
);
document.getElementById("help-open").addEventListener("click", () => help.showModal());

function isWriting(target) {
  return target.matches("input:not([type=range]), select, textarea") || help.open;
}

document.addEventListener("keydown", (event) => {
  if (!state.about || isWriting(event.target) || event.metaKey) return;
  if (pointerKey(event)) return event.preventDefault();
  if ([" ", "Enter"].includes(event.key) && !event.ctrlKey && event.target.matches("button, summary")) return;
  const shift = event.shiftKey && !["+"].includes(event.key) ? "Shift+" : "";
  const action = actions[(event.ctrlKey ? "Ctrl+" : "") + shift + event.key];
  if (action) {
    event.preventDefault();
    return action();
  }
  const object = objects()[+event.key - 1];
  if (object && !event.ctrlKey && !event.altKey) select(object.id);
});
