/** The last calls the page made, newest first, for the operators' panel. */
import { signal } from "../vendor/signals.js";

const KEPT = 12;
let made = 0;

/** Signal of {number, method, url, body, status, milliseconds}[]; `number` counts the calls of this page. */
export const calls = signal([]);

export function record(call) {
  made += 1;
  calls.value = [{ ...call, number: made }, ...calls.peek()].slice(0, KEPT);
}

/** The call as a command for a POSIX shell. */
export function asCurl({ method, url, body }) {
  if (method === "GET") return `curl ${quote(url)}`;
  const data = quote(JSON.stringify(body));
  return `curl -X ${method} ${quote(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${data}`;
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
