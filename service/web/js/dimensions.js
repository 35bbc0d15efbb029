/** An item's dimensions: their order, their names, and the one to begin with. */

const LOOKED_AT = 3;

/** By how much of the concept they tell apart; the API lists first what is most peculiar to the item. */
export function strongestFirst(dimensions) {
  return [...dimensions].sort((a, b) => b.importance - a.importance);
}

/** The first with names among the strongest, or else the strongest. */
export function firstToWalk(dimensions) {
  const strongest = strongestFirst(dimensions);
  return strongest.slice(0, LOOKED_AT).find(({ low, high }) => low && high) ?? strongest[0];
}

/** "small ↔ large", or the dimension's number where the evidence names nothing. */
export function dimensionName({ dim, low, high }) {
  if (!low && !high) return `Dimension ${dim}`;
  return `${low ?? "no clear name"} ↔ ${high ?? "no clear name"}`;
}
