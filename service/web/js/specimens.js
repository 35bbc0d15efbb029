/** A few walks that show what a dimension is, for the introduction: the most telling of each large concept. */
import { getConcept, getWalk } from "./api.js";
import { clearest } from "./dimensions.js";
import { framesOf } from "./frames.js";
import { rankCorrelation, spread, sum } from "./statistics.js";

const CONCEPTS = 3;
const DIMENSIONS = 3;

/** @returns walks, the most telling first; none where no dimension has names for both its ends. */
export async function findSpecimens(abort, concepts) {
  const largest = [...concepts].sort((a, b) => b.size - a.size).slice(0, CONCEPTS);
  const described = await Promise.all(largest.map(({ concept }) => getConcept(abort, concept, 0)));
  const walks = await Promise.all(described.flatMap((concept) => walksFrom(abort, concept)));
  const ordered = mostTellingFirst(walks.filter(({ steps }) => steps.length));
  return ordered.filter((walk, at) => ordered.findIndex(({ concept }) => concept === walk.concept) === at);
}

function mostTellingFirst(walks) {
  const columns = Object.keys(walks[0]?.item.metadata ?? {});
  const names = columns.filter((name) => walks.every((walk) => isNumeric(walk, name)));
  const tables = walks.map((walk) => numbersOf(walk, names));
  const usualSpreads = names.map((_, at) => spread(tables.flatMap((columns) => columns[at])));
  const scores = new Map(walks.map((walk, at) => [walk, telling(tables[at], usualSpreads)]));
  return [...walks].sort((a, b) => scores.get(b) - scores.get(a));
}

function isNumeric(walk, name) {
  return framesOf(walk).every(({ item }) => typeof item.metadata[name] === "number");
}

function walksFrom(abort, { exemplars, dimensions }) {
  const tried = exemplars.length ? clearest(dimensions).slice(0, DIMENSIONS) : [];
  return tried.map(({ dim }) => getWalk(abort, exemplars[0].item_id, dim));
}

/** How much a walk shows: one number of the catalogue runs steadily through its frames while the others stay put. */
function telling(columns, usualSpreads) {
  const spreads = columns.map((column, at) => spread(column) / usualSpreads[at] || 0);
  const others = (at) => 1 + sum(spreads) - spreads[at];
  return Math.max(0, ...columns.map((column, at) => (Math.abs(rankCorrelation(column)) * spreads[at]) / others(at)));
}

/** The numbers that the catalogue knows of every frame: a column for each, a row for each frame. */
function numbersOf(walk, names) {
  const items = framesOf(walk).map(({ item }) => item);
  return names.map((name) => items.map(({ metadata }) => Number(metadata[name])));
}
