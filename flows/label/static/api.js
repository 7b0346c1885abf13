// Requests to the page's server. Where it does not answer, edits wait and are sent when it is back.

export class Refused extends Error {}
export class Changed extends Error {}

let away = false;
const listeners = [];

export function onAway(listener) {
  listeners.push(listener);
}

function setAway(value) {
  if (value !== away) {
    away = value;
    listeners.forEach((listener) => listener(value));
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function once(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  setAway(false);
  const content = await answer.json().catch(() => ({}));
  if (answer.status === 409) throw new Changed(content.detail);
  if (!answer.ok) throw new Refused(content.detail || `the server says ${answer.status}`);
  return content;
}

// Tried until the server answers; what it answers may be a refusal.
export async function request(method, path, body) {
  for (;;) {
    try {
      return await once(method, path, body);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // no answer at all
      setAway(true);
      await pause(1500);
    }
  }
}

export const get = (path) => request("GET", path);
export const post = (path, body) => request("POST", path, body);
export const remove = (path) => request("DELETE", path);
