// What the page knows, and who wants to hear of it when it changes.

export const state = {
  videos: [],
  number: 0,
  about: null, // of the video: width, height, frames, fps, times_s, keys
  frame: 0,
  picture: null, // ImageBitmap of the frame
  document: null, // what a person said, see the server's `document`
  found: [], // objects of the results on this frame
  ahead: new Map(), // objects that were tracked ahead, by frame
  previews: new Map(), // masks of prompts, by what they are
  tool: "box",
  selected: null, // id of an object
  isNew: true, // the next box is a new object
  span: { first: null, last: null },
  review: [],
  reviewed: -1,
  problem: null, // why the video cannot be worked on
};

const listeners = [];
let waiting = false;

export function onChange(listener) {
  listeners.push(listener);
}

// Everything is drawn once, before the next picture on the screen.
export function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    listeners.forEach((listener) => listener());
  });
}

export function say(text) {
  document.getElementById("hint").textContent = text;
}

// What counts by now; what was taken back stays in the file for frames that were accepted with it.
export function known() {
  const all = state.document?.known ?? { prompts: [], absent: [], ids: [], labels: {}, accepted: [] };
  const counts = (one) => one.until == null;
  return { ...all, prompts: all.prompts.filter(counts), absent: all.absent.filter(counts) };
}
export const promptsHere = () => known().prompts.filter((one) => one.frame === state.frame);
export const promptOf = (id, frame = state.frame) =>
  known().prompts.find((one) => one.obj_id === id && one.frame === frame);

// All objects that there are: of the results, and those that a person drew.
export function objects() {
  const found = new Map();
  for (const lane of state.document?.lanes ?? []) found.set(lane.obj_id, lane.label);
  for (const one of known().prompts) {
    const id = called(one.obj_id, one.frame);
    found.set(id, known().labels[id] || one.label || found.get(id) || "");
  }
  for (const [id, label] of Object.entries(known().labels)) if (found.has(+id)) found.set(+id, label);
  for (const one of known().absent) if (!one.first && one.last == null) found.delete(one.obj_id);
  return [...found].map(([id, label]) => ({ id, label })).sort((a, b) => a.id - b.id);
}

export function called(id, frame) {
  const inside = (one) => one.obj_id === id && frame >= (one.first ?? 0) && (one.last == null || frame <= one.last);
  return known().ids.find(inside)?.is ?? id;
}

export const labelOf = (id) => objects().find((one) => one.id === id)?.label ?? "";
