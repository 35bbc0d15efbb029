/** The public HTTP API, one function per call. The page has no other way to the service. */
import { signal } from "../vendor/signals.js";
import { record } from "./calls.js";
import { key, keyHeader, keyNeeded } from "./key.js";
import { Problem } from "./problem.js";

/** Where the service lives: this file is served as <root>/web/js/api.js. */
const root = new URL("../../", import.meta.url);

/** The model version of the latest answer. */
export const modelVersion = signal(null);

/** `fields` are the request's optional ones: what is steered, and whether to explain. */
export const recommend = (abort, history, n, fields = {}) =>
  call(abort, "POST", "recommend", { history, n, ...fields });
export const getControls = (abort, history, n) => call(abort, "POST", "controls", { history, n });
export const findItems = (abort, q, limit) => call(abort, "GET", `items?${new URLSearchParams({ q, limit })}`);
export const getItem = (abort, itemId) => call(abort, "GET", itemPath(itemId));
export const getSimilar = (abort, itemId, n) => call(abort, "GET", `${itemPath(itemId)}/similar?n=${n}`);
export const getWalk = (abort, itemId, dim) => call(abort, "GET", `${itemPath(itemId)}/walk?dim=${dim}`);
export const getConcepts = (abort) => call(abort, "GET", "concepts");
export const getConcept = (abort, concept, exemplars) =>
  call(abort, "GET", `concepts/${concept}${exemplars === undefined ? "" : `?exemplars=${exemplars}`}`);
export const getMap = (abort) => call(abort, "GET", "map");
export const placeOnMap = (abort, fields) => call(abort, "POST", "map", fields);
export const getChoices = (abort) => call(abort, "GET", "choices");
export const getVersion = (abort) => call(abort, "GET", "version");

/** An `image` of the API as an address for the browser: the service's own pictures are named from its root. */
export function pictureAddress(image) {
  return image.startsWith("/") ? new URL(image.slice(1), root).href : image;
}

/** An item id may hold anything, slashes included: all of it is one path segment. */
function itemPath(itemId) {
  return `items/${encodeURIComponent(itemId)}`;
}

/** Whether the service answers to a key. */
export async function knowsKey(text) {
  const response = await send(new URL("version", root).href, { headers: keyHeader(text) });
  await response.body?.cancel(); // the status says it
  return response.status !== 401;
}

/** The picture at an address of the service, which an <img> could not ask for with a key. */
export async function getPicture(address) {
  const response = await send(address, { headers: keyHeader(key.peek()) });
  if (!response.ok) throw await Problem.fromResponse(response);
  return response.blob();
}

/**
 * Where the service asks for a key the call waits until the visitor has given one.
 * @param {AbortSignal} abort stops the call; an aborted call rejects with an AbortError.
 */
async function call(abort, method, path, body) {
  const url = new URL(path, root).href;
  const started = performance.now();
  const sent = key.peek();
  const headers = { ...(body && { "Content-Type": "application/json" }), ...keyHeader(sent) };
  const response = await send(url, { method, signal: abort, headers, ...(body && { body: JSON.stringify(body) }) });
  const answer = response.ok ? await response.json() : null;
  record({ method, url, body, keyed: sent !== null, status: response.status, milliseconds: performance.now() - started });
  const problem = answer ? null : await Problem.fromResponse(response);
  if (problem?.isForWantOfAKey) {
    await keyNeeded(sent);
    return call(abort, method, path, body);
  }
  const version = answer?.model_version ?? problem?.modelVersion;
  if (version) modelVersion.value = version;
  if (problem) throw problem;
  return answer;
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : Problem.unreachable();
  }
}
