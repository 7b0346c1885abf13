// Going through the video: each frame's picture, and what was found on it.

import { get, post } from "./api.js";
import { previewKey } from "./picture.js";
import { changed, promptsHere, say, state } from "./state.js";

const pictures = new Map(); // by frame: promises of pictures, of this video, those used last at the end
const KEPT = 60;
let turns = 0;
let goal = 0; // the frame that was wanted last: keys may come faster than pictures

export const path = (rest) => `api/videos/${state.number}/${rest}`;

async function fetchPicture(frame) {
  const answer = await fetch(path(`frames/${frame}.jpg?v=${state.about.version}`));
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `frame ${frame} cannot be shown`);
  return createImageBitmap(await answer.blob());
}

function picture(frame) {
  if (!pictures.has(frame)) {
    const coming = fetchPicture(frame);
    coming.catch(() => pictures.delete(frame));
    pictures.set(frame, coming);
  }
  const found = pictures.get(frame);
  pictures.delete(frame);
  pictures.set(frame, found);
  for (const old of [...pictures.keys()].slice(0, -KEPT)) {
    pictures.get(old).then((one) => old !== state.frame && one.close?.(), () => {});
    pictures.delete(old);
  }
  return found;
}

export async function show(frame, next = 0) {
  if (!state.about) return;
  const last = state.about.frames - 1;
  const target = Math.min(Math.max(0, Math.round(frame)), last);
  const turn = ++turns;
  goal = target;
  try {
    const [image, found] = await Promise.all([picture(target), objectsOn(target)]);
    if (turn !== turns) return;
    state.frame = target;
    state.picture = image;
    state.found = found ?? [];
    noteMissing(found === null);
    changed();
    loadPreviews();
    for (let ahead = 1; ahead <= next && target + ahead <= last; ahead++) picture(target + ahead).catch(() => {});
  } catch (error) {
    goal = state.frame;
    say(error instanceof TypeError ? UNFETCHED : error.message);
  }
}

const MISSING = "This frame is not in the results; what is drawn here counts all the same.";
const UNFETCHED = "The picture cannot be fetched: the server does not answer.";

function noteMissing(missing) {
  const hint = document.getElementById("hint").textContent;
  if (missing) say(MISSING);
  else if ([MISSING, UNFETCHED].includes(hint)) say("");
}

async function objectsOn(frame) {
  return state.document?.lanes.length || state.document?.kind === "corrections" ? (await get(path(`objects/${frame}`))).objects : [];
}

export async function refreshObjects() {
  state.found = (await objectsOn(state.frame)) ?? [];
  changed();
}

export async function loadPreviews() {
  for (const prompt of promptsHere()) {
    const key = previewKey(prompt);
    if (state.previews.has(key)) continue;
    state.previews.set(key, null);
    try {
      const { obj_id, frame, box, points, mask } = prompt;
      state.previews.set(key, await post(path("preview"), { obj_id, frame, box, points, mask }));
      changed();
    } catch (error) {
      state.previews.delete(key);
      say(error.message);
    }
  }
}

export const step = (frames) => show(goal + frames, frames > 0 ? 3 : 0);

export function stepSeconds(seconds) {
  const { times_s } = state.about;
  const target = times_s[goal] + seconds;
  let frame = goal;
  while (seconds > 0 && frame < times_s.length - 1 && times_s[frame] < target - 1e-6) frame++;
  while (seconds < 0 && frame > 0 && times_s[frame] > target + 1e-6) frame--;
  return show(frame);
}

export function stepKey(direction) {
  const { keys } = state.about;
  const target = direction > 0 ? keys.find((key) => key > goal) : keys.findLast((key) => key < goal);
  return target === undefined ? say("There is no further key frame.") : show(target);
}

let playing = null;

export function togglePlay() {
  if (playing) {
    playing = null;
    changed();
    return;
  }
  const mine = (playing = {});
  changed();
  (async () => {
    while (playing === mine && state.frame < state.about.frames - 1) {
      const began = performance.now();
      const now = state.about.times_s[state.frame];
      await show(state.frame + 1, 6);
      const rest = 1000 * (state.about.times_s[state.frame] - now) - (performance.now() - began);
      await new Promise((done) => setTimeout(done, Math.max(0, rest)));
    }
    playing = null;
    changed();
  })();
}

export const isPlaying = () => playing !== null;

export function forgetPictures() {
  pictures.clear();
  state.previews.clear();
  state.ahead.clear();
  playing = null;
}
