// Edits, sent one after another; each can be undone.

import { Changed, Refused, get, post } from "./api.js";
import { changed, known, say, state } from "./state.js";

const undone = [];
const done = [];
let queue = Promise.resolve();

const path = (rest) => `api/videos/${state.number}/${rest}`;

export async function loadDocument() {
  state.document = await get(path("document"));
  changed();
}

// Gives whether it was taken.
function send(edit) {
  queue = queue.then(async () => {
    for (let tries = 0; ; tries++) {
      try {
        state.document = await post(path("edits"), { edit, revision: state.document.revision });
        changed();
        return true;
      } catch (error) {
        if (error instanceof Changed && tries < 3 && edit.op !== "restore") {
          say("The file was changed elsewhere; this edit is made on top of that.");
          await loadDocument();
          continue;
        }
        if (error instanceof Changed) {
          await loadDocument();
          say("The file was changed elsewhere: nothing is undone.");
          return false;
        }
        if (error instanceof Refused) {
          say(error.message);
          return false;
        }
        throw error;
      }
    }
  });
  return queue;
}

export async function edit(one) {
  const before = structuredClone(known());
  const taken = await send(one);
  if (taken) {
    done.push(before);
    undone.length = 0;
  }
  return taken;
}

async function step(from, to, nothing) {
  if (!from.length) return say(nothing);
  const now = structuredClone(known());
  if (await send({ op: "restore", corrections: from[from.length - 1] })) {
    from.pop();
    to.push(now);
  }
}

export const undo = () => step(done, undone, "There is nothing to undo.");
export const redo = () => step(undone, done, "There is nothing to do again.");

export function forget() {
  done.length = undone.length = 0;
}
