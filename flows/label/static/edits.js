// Edits, sent one after another; each can be undone.

import { Changed, Refused, get, post } from "./api.js";
import { changed, say, state } from "./state.js";

const undone = [];
const done = [];
let queue = Promise.resolve();

const path = (rest) => `api/videos/${state.number}/${rest}`;

export async function loadDocument() {
  state.document = await get(path("document"));
  changed();
}

// What others change meanwhile stays: the edit is made anew on top of that.
async function send(make, number) {
  for (let tries = 0; ; tries++) {
    if (number !== state.number) return false; // another video is shown by now
    if (!state.document) await loadDocument();
    const before = structuredClone(state.document.known);
    const edit = make();
    if (!edit) return false;
    try {
      state.document = await post(path("edits"), { edit, revision: state.document.revision });
      changed();
      return before;
    } catch (error) {
      if (!(error instanceof Changed) || tries >= 3) throw error;
      await loadDocument();
      if (edit.op === "restore") {
        say("The file was changed elsewhere meanwhile: nothing is undone.");
        return false;
      }
      say("The file was changed elsewhere; this edit is made on top of that.");
    }
  }
}

// Edits wait for those before them; one that is refused says why, and stops no other. Gives what was there before.
function queued(make) {
  const number = state.number;
  const turn = queue.then(() => send(make, number));
  queue = turn.catch((error) => {
    say(error instanceof Changed ? "The file is being changed elsewhere: this edit was not made." : error.message);
    if (!(error instanceof Refused || error instanceof Changed)) throw error;
    return false;
  });
  return queue;
}

// `make` gives the edit, or nothing, from what the page knows when its turn comes.
export async function edit(make) {
  const before = await queued(typeof make === "function" ? make : () => make);
  if (before) {
    done.push(before);
    undone.length = 0;
  }
  return Boolean(before);
}

async function step(from, to, words) {
  if (!from.length) return say(`There is nothing to ${words}.`);
  const before = await queued(() => ({ op: "restore", corrections: from[from.length - 1] }));
  if (!before) return;
  from.pop();
  to.push(before);
  say(words === "undo" ? "Undone." : "Done again.");
}

export const undo = () => step(done, undone, "undo");
export const redo = () => step(undone, done, "do again");

export function forget() {
  done.length = undone.length = 0;
}

// The round of results that is being made.
export const nextRound = () => (state.document?.round ?? 0) + 1;
