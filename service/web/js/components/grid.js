/** Cards in rows, walked through with the arrow keys. */
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { useGlide } from "../motion.js";

/** `draw` makes the card of one item; `label` names the list for screen readers. */
export function Grid({ items, label, draw, busy = false }) {
  const container = useGlide();
  return html`<ol class="grid" ref=${container} aria-label=${label} aria-busy=${busy} onKeyDown=${arrowKeys(".card-picture")}>
    ${items.map((item) => html`<li key=${item.item_id} data-key=${item.item_id}>${draw(item)}</li>`)}
  </ol>`;
}

export function GridSkeleton({ count }) {
  return html`<div class="grid" role="status" aria-label="Loading">
    ${Array.from({ length: count }, (_, place) => html`<div class="card" key=${place}><div class="skeleton skeleton-picture"></div><div class="skeleton skeleton-line"></div></div>`)}
  </div>`;
}
