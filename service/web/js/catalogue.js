/** The items seen so far, so that a history can be drawn from its ids alone. */
import { signal } from "../vendor/signals.js";
import { getItem } from "./api.js";

const AT_ONCE = 6;

/** Item id -> summary. @type {import("../vendor/signals.js").Signal<Map<string, object>>} */
export const knownItems = signal(new Map());

export function remember(items) {
  const unseen = items.filter((item) => !knownItems.peek().has(item.item_id));
  if (unseen.length) knownItems.value = new Map([...knownItems.peek(), ...unseen.map((item) => [item.item_id, item])]);
}

/** Loads what is not known yet, a few at once; an item that cannot be loaded stays unknown. */
export async function learn(abort, itemIds) {
  const missing = itemIds.filter((id) => !knownItems.peek().has(id));
  for (let start = 0; start < missing.length; start += AT_ONCE) {
    const some = missing.slice(start, start + AT_ONCE);
    const answers = await Promise.allSettled(some.map((id) => getItem(abort, id)));
    remember(answers.filter(({ status }) => status === "fulfilled").map(({ value }) => value));
  }
}
