/**
 * The shareable part of the address. It is the fragment, so a history stays in the browser and out of server logs:
 * `#i=bag-0042&i=lamp-0007&m=demo-shop-3fa9…&v=find&item=bag-0042&dim=17`.
 */

/**
 * @typedef {{history: string[], view: "find"|"list", opened: Opened|null, model: string|null}} Place
 * @typedef {{itemId: string, dim: number|null}} Opened
 */

/** @param {Place} place */
export function formatFragment({ history, view, opened, model }) {
  const fields = new URLSearchParams(history.map((itemId) => ["i", itemId]));
  if (history.length && model) fields.set("m", model);
  if (history.length && view === "find") fields.set("v", "find");
  if (opened) fields.set("item", opened.itemId);
  if (opened && opened.dim !== null) fields.set("dim", opened.dim);
  return fields.size ? `#${fields}` : "#";
}

/** @returns {Place} */
export function parseFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const history = [...new Set(fields.getAll("i").filter(Boolean))];
  const itemId = fields.get("item");
  return {
    history,
    view: history.length && fields.get("v") !== "find" ? "list" : "find",
    opened: itemId ? { itemId, dim: parseDimension(fields.get("dim")) } : null,
    model: fields.get("m"),
  };
}

function parseDimension(text) {
  return /^\d{1,6}$/.test(text ?? "") ? Number(text) : null;
}
