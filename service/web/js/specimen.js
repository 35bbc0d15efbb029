/** One walk that shows what a dimension is, for the introduction: the best-named strong dimension of a few items. */
import { getItem, getWalk } from "./api.js";

const TRIED = 4;

/** @returns the walk, or null when no dimension has names for both its ends. */
export async function findSpecimen(abort, concepts) {
  const starts = concepts.slice(0, TRIED).flatMap(({ exemplars }) => exemplars.slice(0, 1));
  const items = await Promise.all(starts.map(({ item_id }) => getItem(abort, item_id)));
  const best = items.flatMap(namedDimensions).sort((a, b) => b.promise - a.promise)[0];
  return best ? getWalk(abort, best.itemId, best.dim) : null;
}

/** A walk shows most when its dimension is strong and its start lies in the middle. */
function namedDimensions(item) {
  return item.top_dimensions
    .filter(({ low, high }) => low && high)
    .map(({ dim, importance, quantile }) => ({
      itemId: item.item_id,
      dim,
      promise: importance * (1 - Math.abs(quantile - 0.5)),
    }));
}
