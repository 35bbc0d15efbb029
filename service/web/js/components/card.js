/** One item in a grid. Its picture does what the view is for: adds to the history when finding, opens in the list. */
import { history, spotlight } from "../state.js";
import { html } from "../html.js";
import { openItem, toggleInHistory } from "../navigation.js";
import { ConceptChip } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

export function FoundCard({ item, tabIndex }) {
  const clicked = history.value.includes(item.item_id);
  return html`<article class="card" data-clicked=${clicked}>
    <div class="card-frame">
      <button
        class="card-picture"
        tabindex=${tabIndex}
        aria-pressed=${clicked}
        aria-label=${`Add ${item.title} to your history`}
        onClick=${() => toggleInHistory(item.item_id)}
      >
        <${Picture} item=${item} />
      </button>
      <span class="card-badge" aria-hidden="true"><${Icon} name=${clicked ? "added" : "add"} /></span>
    </div>
    <button
      class="card-title"
      tabindex=${tabIndex}
      aria-label=${`Look closer at ${item.title}`}
      onClick=${() => openItem(item.item_id)}
    >
      ${item.title}
    </button>
    <${ConceptChip} concept=${item.concept} />
  </article>`;
}

/** In a ranking the item's rank stands before its title. */
export function ListedCard({ item, tabIndex }) {
  const clicked = history.value.includes(item.item_id);
  const faded = spotlight.value !== null && spotlight.value !== item.concept;
  return html`<article class="card" data-clicked=${clicked} data-faded=${faded}>
    <div class="card-frame">
      <button
        class="card-picture"
        tabindex=${tabIndex}
        aria-label=${item.rank ? `${item.rank}. ${item.title}` : item.title}
        onClick=${() => openItem(item.item_id)}
      >
        <${Picture} item=${item} />
      </button>
      <button
        class="card-badge"
        tabindex=${tabIndex}
        aria-pressed=${clicked}
        aria-label=${`Add ${item.title} to your history`}
        onClick=${() => toggleInHistory(item.item_id)}
      >
        <${Icon} name=${clicked ? "added" : "add"} />
      </button>
    </div>
    <p
      class="card-title"
      onClick=${() => openItem(item.item_id)}
    >
      ${item.rank && html`<span class="card-rank">${item.rank}</span>`}${item.title}
    </p>
    <${ConceptChip} concept=${item.concept} />
  </article>`;
}
