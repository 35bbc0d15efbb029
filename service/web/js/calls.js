/** The last calls the page made, newest first, for the operators' panel. */
import { signal } from "../vendor/signals.js";

const KEPT = 12;
let made = 0;

/** Signal of {number, method, url, body, keyed, status, milliseconds}[]; `number` counts the calls of this page. */
export const calls = signal([]);

export function record(call) {
  made += 1;
  calls.value = [{ ...call, number: made }, ...calls.peek()].slice(0, KEPT);
}

/** The call as a command for a POSIX shell. A key stands there as a variable, never as itself. */
export function asCurl({ method, url, body, keyed }) {
  const parts = [method === "GET" ? `curl ${quote(url)}` : `curl -X ${method} ${quote(url)}`];
  if (keyed) parts.push(`-H "X-API-Key: $MACRID_API_KEY"`);
  if (body) parts.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
