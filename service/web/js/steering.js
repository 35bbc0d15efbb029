/** What the visitor has turned, as a value that is never changed in place, and as the fields of a request. */

/**
 * @typedef {{weights: Weight[], turns: Turn[], hidden: string[], liked: string[], disliked: string[]}} Steering
 * @typedef {{concept: number, weight: number}} Weight how much a concept counts; 1, as it is, is not kept
 * @typedef {{concept: number, dim: number, quantile: number}} Turn a dimension set to a place among the concept's items
 */

/** @type {Steering} */
export const UNSTEERED = { weights: [], turns: [], hidden: [], liked: [], disliked: [] };

export const AS_IT_IS = 1;

/** As a share of a concept's items: normalising a component moves what was set a little. */
const NOTEWORTHY = 0.03;

export const isSteered = (steering) => Object.values(steering).some((edits) => edits.length > 0);

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export function weightOf({ weights }, concept) {
  return weights.find((weight) => weight.concept === concept)?.weight ?? AS_IT_IS;
}

export function withWeight(steering, concept, weight) {
  const others = steering.weights.filter((other) => other.concept !== concept);
  return { ...steering, weights: weight === AS_IT_IS ? others : [...others, { concept, weight }] };
}

export function turnsOf({ turns }, concept) {
  return turns.filter((turn) => turn.concept === concept);
}

/** What became of a component in an answer, or undefined where nothing was asked of it. */
export const appliedTo = (answer, concept) => answer?.steering?.components.find((component) => component.concept === concept);

/**
 * Where a turn ended when it could not go all the way, or null.
 * @returns {{quantile: number, isCut: boolean}|null} `isCut`: its own range ends there; else all turns together were held back.
 */
export function stoppedAt(answer, { concept, dim, quantile }) {
  const component = appliedTo(answer, concept);
  const edit = component?.edits.find((other) => other.dim === dim);
  if (!edit || Math.abs(edit.quantile_applied - quantile) < NOTEWORTHY) return null;
  const { low, high } = edit.range;
  return { quantile: edit.quantile_applied, isCut: edit.requested < low || edit.requested > high };
}

/** A `quantile` of null takes the turn back. */
export function withTurn(steering, concept, dim, quantile) {
  const others = steering.turns.filter((turn) => turn.concept !== concept || turn.dim !== dim);
  return { ...steering, turns: quantile === null ? others : [...others, { concept, dim, quantile }] };
}

export function withoutTurns(steering, concept) {
  return { ...steering, turns: steering.turns.filter((turn) => turn.concept !== concept) };
}

/** Hiding says nothing of taste: the item is left out, and all else stays where it is. */
export function withHidden(steering, itemId) {
  return { ...steering, hidden: [...new Set([...steering.hidden, itemId])] };
}

/** @param {"liked"|"disliked"} opinion; asking for it again takes it back. */
export function withOpinion(steering, itemId, opinion) {
  const held = steering[opinion].includes(itemId);
  const [liked, disliked] = [steering.liked, steering.disliked].map((ids) => ids.filter((id) => id !== itemId));
  const next = { ...steering, liked, disliked };
  return held ? next : { ...next, [opinion]: [...next[opinion], itemId] };
}

/** What the components are made of: an opinion counts like a click, for or against. */
export function evidence(history, { liked, disliked }) {
  return [...new Set([...history, ...liked])].filter((itemId) => !disliked.includes(itemId));
}

/** The fields of a request for a list; what is not steered is not sent, so that a plain request stays plain. */
export function requestFields({ weights, turns, hidden, liked, disliked }) {
  const fields = { concepts: weights, adjust: turns, exclude: hidden, liked, disliked };
  return Object.fromEntries(Object.entries(fields).filter(([, edits]) => edits.length > 0));
}
