/** A concept's dimensions, as the page offers them for walking. */

const CLEAREST = 6;
const FEWEST = 3;

/** Those with names, the best-named first; of several with the same two names only the best, whichever end is which. */
export function clearest(dimensions) {
  const named = dimensions.filter(({ low_label, high_label }) => low_label && high_label);
  const byNames = new Map();
  for (const dimension of named.sort((a, b) => b.strength - a.strength)) {
    const names = [dimension.low_label, dimension.high_label].sort().join("\n");
    if (!byNames.has(names)) byNames.set(names, dimension);
  }
  return [...byNames.values()];
}

/** What to offer first: the clearest, and where too few have names the most important beside them. */
export function firstOffer(dimensions) {
  const offer = clearest(dimensions).slice(0, CLEAREST);
  return offer.length >= FEWEST ? offer : [...new Set([...offer, ...dimensions])].slice(0, CLEAREST);
}

/** "small ↔ large", or the dimension's number where the evidence names nothing. */
export function dimensionName({ dim, low_label, high_label }) {
  if (!low_label && !high_label) return `Dimension ${dim}`;
  return `${low_label ?? "no clear name"} ↔ ${high_label ?? "no clear name"}`;
}
