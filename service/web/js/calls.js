/** The last calls the page made, newest first, for the operators' panel. */
import { signal } from "../vendor/signals.js";

const KEPT = 12;

/** @type {import("../vendor/signals.js").Signal<{method: string, url: string, body: object|undefined, status: number, milliseconds: number}[]>} */
export const calls = signal([]);

export function record(call) {
  calls.value = [call, ...calls.peek()].slice(0, KEPT);
}

/** The call as a command for a POSIX shell. */
export function asCurl({ method, url, body }) {
  if (method === "GET") return `curl ${quote(url)}`;
  return [`curl -X ${method} ${quote(url)}`, `-H 'Content-Type: application/json'`, `-d ${quote(JSON.stringify(body))}`].join(
    " \\\n  ",
  );
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
