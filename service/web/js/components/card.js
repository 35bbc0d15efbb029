/** One item in a grid. Its picture does what the view is for: adds to the history when finding, opens in the list. */
import { history, spotlight } from "../state.js";
import { html } from "../html.js";
import { openItem, toggleInHistory } from "../navigation.js";
import { ConceptChip } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

export function FoundCard({ item }) {
  const clicked = history.value.includes(item.item_id);
  return html`<article class="card" data-clicked=${clicked}>
    <div class="card-frame">
      <button class="card-picture" aria-pressed=${clicked} aria-label=${`Add ${item.title} to your history`} onClick=${() => toggleInHistory(item.item_id)}>
        <${Picture} item=${item} />
      </button>
      <span class="card-badge" aria-hidden="true"><${Icon} name=${clicked ? "added" : "add"} /></span>
    </div>
    <button class="card-title" aria-label=${`Look closer at ${item.title}`} onClick=${() => openItem(item.item_id)}>${item.title}</button>
    <${ConceptChip} concept=${item.concept} />
  </article>`;
}

/** `note` is what stands before the title, such as the rank. */
export function ListedCard({ item, note }) {
  const clicked = history.value.includes(item.item_id);
  const faded = spotlight.value !== null && spotlight.value !== item.concept;
  return html`<article class="card" data-clicked=${clicked} data-faded=${faded}>
    <div class="card-frame">
      <button class="card-picture" aria-label=${[note, item.title].filter(Boolean).join(". ")} onClick=${() => openItem(item.item_id)}>
        <${Picture} item=${item} />
      </button>
      <button class="card-badge" aria-pressed=${clicked} aria-label=${`Add ${item.title} to your history`} onClick=${() => toggleInHistory(item.item_id)}>
        <${Icon} name=${clicked ? "added" : "add"} />
      </button>
    </div>
    <p class="card-title" onClick=${() => openItem(item.item_id)}>${note && html`<span class="card-note">${note}</span>`}${item.title}</p>
    <${ConceptChip} concept=${item.concept} />
  </article>`;
}
