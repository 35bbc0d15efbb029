/** One item in a grid. Its picture does what the view is for: adds to the history when finding, opens in the list. */
import { steer } from "../control.js";
import { explanation, reasons } from "../data.js";
import { html } from "../html.js";
import { moveOf } from "../moves.js";
import { openItem, toggleInHistory } from "../navigation.js";
import { history, sliding, spotlight, steering } from "../state.js";
import { withHidden, withOpinion } from "../steering.js";
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

/** In a ranking the item's rank stands before its title, and how it came there beside its picture. */
export function ListedCard({ item, tabIndex }) {
  const clicked = history.value.includes(item.item_id);
  const faded = spotlight.value !== null && spotlight.value !== item.concept;
  const moved = moveOf(item);
  return html`<article class="card" data-clicked=${clicked} data-faded=${faded}>
    <div class="card-frame">
      <button
        class="card-picture"
        tabindex=${tabIndex}
        aria-label=${[item.rank ? `${item.rank}. ${item.title}` : item.title, moved?.words].filter(Boolean).join(", ")}
        onClick=${() => openItem(item.item_id)}
      >
        <${Picture} item=${item} />
      </button>
      ${moved && html`<span class="card-move" data-way=${moved.way} aria-hidden="true">${moved.sign}</span>`}
      ${item.rank && html`<${Opinions} item=${item} tabIndex=${tabIndex} />`}
      <button
        class="card-badge"
        tabindex=${tabIndex}
        aria-pressed=${clicked}
        aria-label=${`Add ${item.title} to your history`}
        title="Add to your history"
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
    ${item.rank && html`<${Because} itemId=${item.item_id} />`}
  </article>`;
}

/** What one can say of an item without clicking it: it steers this list, and the history stays as it is. */
function Opinions({ item, tabIndex }) {
  const { item_id: itemId, title } = item;
  const opine = (opinion) => () => steer(withOpinion(steering.peek(), itemId, opinion));
  const hide = () => steer(withHidden(steering.peek(), itemId));
  const { liked, disliked } = steering.value;
  return html`<div class="card-opinions" role="group" aria-label=${`Your word on ${title}`}>
    <${Opinion} name="like" label=${`More like ${title}`} held=${liked.includes(itemId)} say=${opine("liked")} tabIndex=${tabIndex} />
    <${Opinion} name="dislike" label=${`Less like ${title}`} held=${disliked.includes(itemId)} say=${opine("disliked")} tabIndex=${tabIndex} />
    <${Opinion} name="hide" label=${`Hide ${title}`} say=${hide} tabIndex=${tabIndex} />
  </div>`;
}

const TITLES = { like: "More like this", dislike: "Less like this", hide: "Hide" };

function Opinion({ name, label, held, say, tabIndex }) {
  return html`<button tabindex=${tabIndex} aria-pressed=${held} aria-label=${label} title=${TITLES[name]} onClick=${say}>
    <${Icon} name=${name} />
  </button>`;
}

/** The click that speaks loudest for the item; the lines keep their place while the reasons load. */
function Because({ itemId }) {
  if (explanation.state.value.status === "idle") return null;
  const click = reasons.value.get(itemId)?.clicks[0]?.item;
  const stale = explanation.state.value.status !== "ready" || sliding.value;
  return html`<p class="card-why" data-stale=${stale}>
    ${click && html`<${Picture} item=${click} /><span><small>because you clicked</small> <b>${click.title}</b></span>`}
  </p>`;
}
