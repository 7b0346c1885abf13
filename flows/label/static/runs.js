// Tracking ahead, whole runs, and exports.

import { get, post, remove } from "./api.js";
import { forget, loadDocument } from "./edits.js";
import { loadPreviews, path, refreshObjects, show } from "./frames.js";
import { loadReview } from "./review.js";
import { changed, promptsHere, say, state } from "./state.js";

const byId = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let looking = 0;

export async function lookAhead() {
  const prompts = promptsHere();
  if (!prompts.length) return say("Draw a box on this frame first: it is tracked from here.");
  const mine = ++looking;
  state.ahead.clear();
  try {
    const { total } = await post(path("look-ahead"), { prompts, seconds: +byId("seconds").value });
    for (let since = 0; mine === looking; await pause(200)) {
      const look = await get(path(`look-ahead?since=${since}`));
      for (const one of look.frames) state.ahead.set(one.frame, one.objects);
      since += look.frames.length;
      say(`Tracked ahead: ${since} of ${total} frames.`);
      if (look.frames.length) await show(look.frames[look.frames.length - 1].frame);
      changed();
      if (!look.running) {
        if (look.error) say(look.error);
        else say(`Tracked ${since} frames ahead, to look through; they are not kept. Run follows it to the end of the video.`);
        return;
      }
    }
  } catch (error) {
    say(error.message);
  }
}

export async function startRun() {
  byId("run").disabled = true;
  looking++;
  try {
    const first = { flow: byId("flow").value, text_prompt: byId("words").value.trim() || null, fps: +byId("fps").value || null };
    await post("api/run", { video: state.number, ...(byId("first-run").hidden ? {} : first) });
    await followRun();
  } catch (error) {
    byId("run-state").textContent = "";
    say(error.message);
  } finally {
    byId("run").disabled = false;
  }
}

export const cancelRun = () => remove("api/run");

function showRun(run) {
  const at = [...run.lines].reverse().find((line) => line.trim()) ?? "";
  byId("cancel").hidden = run.state !== "running";
  byId("run-state").textContent = run.state === "running" ? `Running … ${at}`.slice(0, 160) : ended(run);
  const log = byId("run-log");
  log.textContent = run.lines.join("\n");
  log.scrollTop = log.scrollHeight;
}

function ended(run) {
  if (run.state === "none") return "";
  const words = { 0: "Done.", 1: "Ended: some videos failed, see below.", 2: "Refused, see below.", 130: "Cancelled: what was finished is kept." };
  return words[run.code] ?? (run.code == null ? "Ended." : `Ended with ${run.code}, see below.`);
}

export async function followRun() {
  let run = await get("api/run");
  for (let turn = 1; run.state === "running"; turn++) {
    showRun(run);
    await pause(700);
    if (turn % 3 === 0 && state.document?.kind === "prompts") await showComing();
    run = await get("api/run");
  }
  showRun(run);
  if (run.state !== "ended") return;
  if (run.code) byId("run-details").open = true;
  say(run.code ? "The run did not end well: what it printed is below Run." : "Tracked. Look through it, fix what is wrong, and run again.");
  state.ahead.clear();
  forget();
  await loadDocument();
  await Promise.all([refreshObjects(), loadReview(), loadPreviews()]);
}

// What the run has tracked so far of this video.
async function showComing() {
  const before = state.document.lanes.length;
  await loadDocument();
  if (state.document.lanes.length !== before) await refreshObjects();
}

// A run that was started before this page was opened.
export async function resumeRun() {
  const run = await get("api/run");
  if (run.state === "running") followRun();
}

export async function exportResults() {
  const to = byId("format").value;
  byId("exported").textContent = "Writing …";
  try {
    const done = await post("api/export", { video: state.number, to });
    byId("exported").textContent = `${done.objects} marks of ${done.tracks} objects on ${done.frames} frames, in ${done.output}`;
  } catch (error) {
    byId("exported").textContent = error.message;
  }
}
