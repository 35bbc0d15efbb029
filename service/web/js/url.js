/**
 * The shareable part of the address. It is the fragment, so a history stays in the browser and out of server logs:
 * `#i=bag-0042&i=lamp-0007&w=2:0.5&t=2:17:0.82&x=bag-0100&k=2&m=demo-shop-3fa9…&v=find&item=bag-0042&dim=17&p=17:bag-0042`.
 */
import { UNSTEERED } from "./steering.js";

/**
 * @typedef {{history: string[], view: "find"|"list"|"map", opened: Opened|null, model: string|null,
 *   steering: import("./steering.js").Steering, trail: Opened|null, pins: number[]}} Place
 * @typedef {{itemId: string, dim: number|null}} Opened
 */

/** @param {Place} place */
export function formatFragment({ history, view, opened, model, steering, trail, pins = [] }) {
  const fields = new URLSearchParams(history.map((itemId) => ["i", itemId]));
  if (history.length) formatSteering(steering).forEach(([name, value]) => fields.append(name, value));
  if (history.length) pins.forEach((concept) => fields.append("k", concept));
  if (history.length && model) fields.set("m", model);
  if (view === "map" || (history.length && view === "find")) fields.set("v", view);
  if (opened) fields.set("item", opened.itemId);
  if (opened && opened.dim !== null) fields.set("dim", opened.dim);
  if (trail && view === "map") fields.set("p", `${trail.dim}:${trail.itemId}`);
  return fields.size ? `#${fields}` : "#";
}

/** @returns {Place} */
export function parseFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const history = [...new Set(fields.getAll("i").filter(Boolean))];
  const itemId = fields.get("item");
  return {
    history,
    view: fields.get("v") === "map" ? "map" : history.length && fields.get("v") !== "find" ? "list" : "find",
    opened: itemId ? { itemId, dim: parseDimension(fields.get("dim")) } : null,
    model: fields.get("m"),
    steering: history.length ? parseSteering(fields) : UNSTEERED,
    trail: parseTrail(fields.get("p")),
    pins: [...new Set(matches(fields.getAll("k"), /^(\d{1,6})$/).flat())],
  };
}

function formatSteering({ weights, turns, hidden, liked, disliked }) {
  return [
    ...weights.map(({ concept, weight }) => ["w", `${concept}:${weight}`]),
    ...turns.map(({ concept, dim, quantile }) => ["t", `${concept}:${dim}:${quantile}`]),
    ...hidden.map((itemId) => ["x", itemId]),
    ...liked.map((itemId) => ["l", itemId]),
    ...disliked.map((itemId) => ["d", itemId]),
  ];
}

/** What cannot be read is left out: an address may have been cut or edited. */
function parseSteering(fields) {
  const weights = matches(fields.getAll("w"), /^(\d{1,6}):(\d{1,2}(?:\.\d+)?)$/);
  const turns = matches(fields.getAll("t"), /^(\d{1,6}):(\d{1,6}):([01](?:\.\d+)?)$/);
  const [hidden, liked, disliked] = ["x", "l", "d"].map((name) => [...new Set(fields.getAll(name).filter(Boolean))]);
  return {
    weights: distinct(weights.map(([concept, weight]) => ({ concept, weight }))),
    turns: distinct(turns.map(([concept, dim, quantile]) => ({ concept, dim, quantile: Math.min(quantile, 1) }))),
    hidden,
    liked,
    disliked: disliked.filter((itemId) => !liked.includes(itemId)),
  };
}

/** The numbers in those texts that fit the pattern. */
function matches(texts, pattern) {
  const found = texts.map((text) => pattern.exec(text)).filter(Boolean);
  return found.map((groups) => groups.slice(1).map(Number));
}

/** One edit for each thing: the service refuses two. */
function distinct(edits) {
  return [...new Map(edits.map((edit) => [`${edit.concept} ${edit.dim}`, edit])).values()];
}

function parseTrail(text) {
  const [, dim, itemId] = /^(\d{1,6}):(.+)$/s.exec(text ?? "") ?? [];
  return itemId ? { itemId, dim: Number(dim) } : null;
}

function parseDimension(text) {
  return /^\d{1,6}$/.test(text ?? "") ? Number(text) : null;
}
