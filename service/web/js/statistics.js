/** The little statistics the page does by itself. */

export const sum = (values) => values.reduce((total, value) => total + value, 0);

const mean = (values) => sum(values) / values.length;

/** Standard deviation. */
export function spread(values) {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** Spearman's correlation of some values with their places, in [-1, 1]; 0 where the values do not vary. */
export function rankCorrelation(values) {
  const ranks = values.map((value) => rank(value, values));
  const middle = (values.length - 1) / 2;
  const together = mean(ranks.map((own, place) => (own - middle) * (place - middle)));
  return together / (spread(ranks) * spread([...values.keys()])) || 0;
}

/** The value's 0-based rank; equal values share the mean of theirs. */
function rank(value, values) {
  const below = values.filter((other) => other < value).length;
  const equal = values.filter((other) => other === value).length;
  return below + (equal - 1) / 2;
}
