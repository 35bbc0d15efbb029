/**
 * The key that the service asks for, where it asks for one. It is kept in this tab's session storage and nowhere else: not in the
 * address, not in what is copied, and it goes when the tab is closed.
 */
import { signal } from "../vendor/signals.js";

const PLACE = "macrid-key";

/** The key that calls are made with, or null. */
export const key = signal(stored());

/** Why the visitor is asked for a key: "needed", or "refused" when the one in use is no longer known; null: not asked. */
export const asking = signal(null);

let waiting = null; // { promise, resolve } of the calls that wait for a key

/** As a header; X-API-Key, so that a proxy's own Authorization stays what it is. */
export const keyHeader = (text) => (text ? { "X-API-Key": text } : {});

/** Resolves when the visitor has given a key. `refused` is the one (or null) with which a call was answered 401. */
export function keyNeeded(refused) {
  if (key.peek() !== refused) return Promise.resolve(); // another one has been given since
  asking.value ??= refused ? "refused" : "needed";
  if (!waiting) {
    waiting = {};
    waiting.promise = new Promise((resolve) => (waiting.resolve = resolve));
  }
  return waiting.promise;
}

export function takeKey(text) {
  key.value = text;
  store((storage) => storage.setItem(PLACE, text));
  asking.value = null;
  waiting?.resolve();
  waiting = null;
}

/** Forgets the key, and with it all that was shown: the page begins anew. */
export function forgetKey() {
  store((storage) => storage.removeItem(PLACE));
  location.reload();
}

function stored() {
  return store((storage) => storage.getItem(PLACE)) ?? null;
}

function store(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null; // storage is denied: the key lasts as long as the page
  }
}
