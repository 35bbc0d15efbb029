/** Cards in rows: one stop for the Tab key, walked through with the arrow keys. */
import { useMemo, useState } from "../../vendor/hooks.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { useGlide } from "../motion.js";
import { sliding } from "../state.js";

/**
 * @param {{items: object[], label: string, card: Function, busy?: boolean}} props
 *   `card` draws one item, and its controls take the tab index it is given; `label` is for screen readers.
 */
export function Grid({ items, label, card, busy = false }) {
  const container = useGlide(items, !sliding.value);
  const [visited, setVisited] = useState(null);
  const stop = items.some((item) => item.item_id === visited) ? visited : items[0]?.item_id;
  // While it loads again nothing but `busy` changes: then the cards are not drawn anew.
  const cards = useMemo(
    () =>
      items.map(
        (item) => html`<li key=${item.item_id} data-key=${item.item_id}>
          <${card} item=${item} tabIndex=${item.item_id === stop ? 0 : -1} />
        </li>`,
      ),
    [items, stop, card],
  );
  return html`<ol
    class="grid"
    ref=${container}
    aria-label=${label}
    aria-busy=${busy}
    onKeyDown=${arrowKeys(".card-picture")}
    onFocusIn=${(event) => setVisited(event.target.closest("li").dataset.key)}
  >
    ${cards}
  </ol>`;
}

export function GridSkeleton({ count }) {
  const card = (_, place) => html`<div class="card" key=${place}>
    <div class="skeleton skeleton-picture"></div>
    <div class="skeleton skeleton-line"></div>
  </div>`;
  return html`<div class="grid" role="status" aria-label="Loading">${Array.from({ length: count }, card)}</div>`;
}
