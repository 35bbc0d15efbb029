/** The history as a row of removable pictures. */
import { knownItems } from "../catalogue.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { toggleInHistory } from "../navigation.js";
import { recommendation } from "../data.js";
import { history } from "../state.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

export function HistoryRow() {
  const unknown = recommendation.state.value.data?.unknown_items ?? [];
  return html`<ul class="history-row" aria-label="Your history" onKeyDown=${arrowKeys("button")}>
    ${history.value.map(
      (itemId) => html`<li key=${itemId}>
        <${Removable} itemId=${itemId} unknown=${unknown.includes(itemId)} />
      </li>`,
    )}
  </ul>`;
}

function Removable({ itemId, unknown }) {
  const item = knownItems.value.get(itemId);
  const title = item?.title ?? itemId;
  const text = unknown ? `${title}: not in this catalogue` : title;
  return html`<button
    class="removable"
    data-unknown=${unknown}
    aria-label=${`Remove ${text}`}
    title=${text}
    onClick=${() => toggleInHistory(itemId)}
  >
    ${item ? html`<${Picture} item=${item} />` : html`<span class="picture picture-unknown">${unknown ? "?" : ""}</span>`}
    <span class="removable-cross" aria-hidden="true"><${Icon} name="close" /></span>
  </button>`;
}
