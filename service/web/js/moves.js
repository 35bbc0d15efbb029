/** How an item of a steered list moved against the list without steering. */

/**
 * @param {{rank?: number, rank_before?: number|null}} item as the service lists it.
 * @returns {{way: "new"|"up"|"down", sign: string, words: string}|null} null where nothing moved or nothing is steered.
 */
export function moveOf({ rank, rank_before: before, entered }) {
  if (!rank || entered === undefined || rank === before) return null;
  if (entered) return { way: "new", sign: "NEW", words: "new in the list" };
  if (rank < before) return { way: "up", sign: `▲ ${before - rank}`, words: `up from ${before}` };
  return { way: "down", sign: `▼ ${rank - before}`, words: `down from ${before}` };
}
