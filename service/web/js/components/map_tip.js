/** The item that is pointed at: its picture and name beside it; when it was chosen, what can be done with it. */
import { useEffect } from "../../vendor/hooks.js";
import { knownItems } from "../catalogue.js";
import { pointedAt } from "../data.js";
import { html } from "../html.js";
import { toScreen } from "../map/camera.js";
import { camera, pinned, point, pointed, size } from "../map/state.js";
import { openItem, toggleInHistory } from "../navigation.js";
import { history } from "../state.js";
import { ConceptChip } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

const [WIDE, HIGH, AWAY] = [176, 260, 16]; // pixels

export function MapTip({ data }) {
  const at = pointed.value;
  const itemId = data.ids[at];
  useEffect(() => {
    if (itemId !== undefined) pointedAt.request([itemId]);
  }, [itemId]);
  const item = knownItems.value.get(itemId);
  const spoken = item && pinned.value ? item.title : "";
  return html`<p class="visually-hidden" role="status">${spoken}</p>
    ${item && html`<${Tip} item=${item} place=${toScreen(camera.value, data.xs[at], data.ys[at])} />`}`;
}

function Tip({ item, place }) {
  const clicked = history.value.includes(item.item_id);
  return html`<div class="map-tip" data-pinned=${pinned.value} style=${beside(place)}>
    <${Picture} item=${item} eager=${true} />
    <p class="map-tip-title">${item.title}</p>
    <${ConceptChip} concept=${item.concept} />
    ${pinned.value &&
    html`<div class="map-tip-actions">
      <button class="button" onClick=${() => openItem(item.item_id)}>Look closer</button>
      <button
        class="tool"
        aria-pressed=${clicked}
        aria-label=${`Add ${item.title} to your history`}
        title="Add to your history"
        onClick=${() => toggleInHistory(item.item_id)}
      >
        <${Icon} name=${clicked ? "added" : "add"} />
      </button>
      <button class="tool map-tip-close" aria-label="Close" onClick=${() => point(-1)}><${Icon} name="close" /></button>
    </div>`}
  </div>`;
}

/** On the side where there is room. */
function beside([x, y]) {
  const { width, height } = size.value;
  const left = x + AWAY + WIDE > width ? Math.max(8, x - AWAY - WIDE) : x + AWAY;
  return { left: `${left}px`, top: `${Math.max(8, Math.min(height - HIGH - 8, y - HIGH / 3))}px`, width: `${WIDE}px` };
}
