// The page: opens a video, and draws everything that has changed.

import { get, onAway } from "./api.js";
import { forget, loadDocument, redo, undo } from "./edits.js";
import { forgetPictures, isPlaying, loadPreviews, refreshObjects, show, step, togglePlay } from "./frames.js";
import "./keys.js";
import * as panel from "./panel.js";
import * as picture from "./picture.js";
import * as review from "./review.js";
import { cancelRun, exportResults, lookAhead, resumeRun, startRun } from "./runs.js";
import { changed, onChange, say, state } from "./state.js";
import * as timeline from "./timeline.js";
import { newObject, useTool } from "./tools.js";

const byId = (id) => document.getElementById(id);
const on = (id, action, event = "click") => byId(id).addEventListener(event, action);

async function open(number) {
  try {
    state.problem = null;
    await read(number);
  } catch (error) {
    state.problem = error.message;
    say(error.message);
    changed();
  }
}

async function read(number) {
  state.number = number;
  state.about = state.picture = state.document = null;
  state.review = [];
  byId("thumbnails").replaceChildren();
  Object.assign(state, { frame: 0, selected: null, isNew: true, found: [], span: { first: null, last: null } });
  forgetPictures();
  forget();
  useTool("box");
  say("Reading the video …");
  state.about = await get(`api/videos/${number}`);
  byId("frame").max = state.about.frames - 1;
  picture.fitNext();
  await loadDocument();
  await review.loadReview();
  const first = state.document.known.prompts[0]?.frame ?? 0;
  await show(first);
  timeline.showThumbnails();
  if (state.document.lanes.length || state.document.known.prompts.length) {
    state.isNew = false;
    panel.select(state.document.lanes[0]?.obj_id ?? state.document.known.prompts[0].obj_id);
  }
  say("Drag a box around an object. K draws it with the arrow keys; ? lists all keys.");
}

let typing = false; // a frame's number

function clock(seconds) {
  const rest = (seconds % 60).toFixed(3).padStart(6, "0");
  return `${Math.floor(seconds / 60)}:${rest}`;
}

function drawAll() {
  picture.draw();
  timeline.draw();
  panel.draw();
  review.draw();
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === state.tool);
  }
  byId("brush-label").style.visibility = ["paint", "erase"].includes(state.tool) ? "visible" : "hidden";
  byId("play").textContent = isPlaying() ? "Stop" : "Play";
  if (!state.about) return;
  if (!typing) byId("frame").value = state.frame;
  byId("time").textContent = `${clock(state.about.times_s[state.frame])} of ${clock(state.about.duration_s)}`;
}

async function start() {
  const about = await get("api/videos");
  state.videos = about.videos;
  byId("video").append(...about.videos.map((one, number) => new Option(one.name, number)));
  byId("video-choice").hidden = !about.videos.length;
  byId("format").append(...about.formats.map((name) => new Option(name, name)));
  byId("format").value = "coco";
  await open(0);
  await resumeRun();
}

onChange(drawAll);
onAway((away) => {
  byId("banner").hidden = !away;
  byId("banner").textContent = "The page's server does not answer. Edits are kept here, and sent when it is back.";
});
for (const button of document.querySelectorAll("[data-tool]")) {
  button.addEventListener("click", () => useTool(button.dataset.tool));
}
on("video", (event) => open(+event.target.value), "change");
on("undo", undo);
on("redo", redo);
on("zoom-in", () => picture.zoom(1.25));
on("zoom-out", () => picture.zoom(0.8));
on("zoom-fit", picture.zoomFit);
on("new-object", newObject);
on("accept", panel.accept);
on("absent", panel.absent);
on("unshow", panel.unshow);
on("split", panel.split);
on("look", lookAhead);
on("run", startRun);
on("cancel", cancelRun);
on("flow", changed, "change");
on("next", review.next);
on("export", exportResults);
on("play", togglePlay);
on("back", () => step(-1));
on("forward", () => step(1));
on("frame", () => (typing = true), "input");
on("frame", (event) => {
  typing = false;
  show(+event.target.value);
}, "change");
on("frame", () => (typing = false), "blur");
on("span-start", () => panel.setSpan("first"));
on("span-end", () => panel.setSpan("last"));
on("span-clear", panel.clearSpan);
new ResizeObserver(changed).observe(picture.canvas);

// After an edit, what was found is shown as it is called by now, and new prompts get their masks.
let seen = null;
onChange(() => {
  const now = JSON.stringify(state.document?.known);
  if (seen !== null && now !== seen && state.about && state.picture) {
    loadPreviews();
    if (state.document.kind === "corrections") refreshObjects();
  }
  seen = now;
});
start().catch((error) => say(error.message));
