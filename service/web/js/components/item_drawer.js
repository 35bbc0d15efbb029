/** One item, looked at closely: what it is, where it belongs, its walks, and what is like it. */
import { useEffect, useRef } from "../../vendor/hooks.js";
import { knownItems } from "../catalogue.js";
import { conceptStyle } from "../colours.js";
import { steer } from "../control.js";
import { conceptLabel, item, openedItem, reasons, similar } from "../data.js";
import { html } from "../html.js";
import { closeItem, goBack, toggleInHistory } from "../navigation.js";
import { depth, history, opened, steering, view } from "../state.js";
import { withHidden, withOpinion } from "../steering.js";
import { percent, plural } from "../words.js";
import { ListedCard } from "./card.js";
import { ConceptChip, ConceptMark } from "./concept_mark.js";
import { Failure } from "./failure.js";
import { Grid, GridSkeleton } from "./grid.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";
import { Walk } from "./walk.js";
import { Why } from "./why.js";

const CONCEPTS_SHOWN = 3;

/** A dialog keeps the focus inside, makes the page behind it inert, and closes on Escape by itself. */
export function ItemDrawer() {
  const dialog = useRef(null);
  const itemId = opened.value?.itemId ?? null;
  useEffect(() => {
    if (itemId === null) dialog.current.close();
    else if (!dialog.current.open) dialog.current.showModal();
    dialog.current.scrollTop = 0;
  }, [itemId]);
  return html`<dialog
    class="drawer"
    ref=${dialog}
    aria-labelledby="item-title"
    onClose=${closeItem}
    onClick=${(event) => event.target === dialog.current && closeItem()}
  >
    ${itemId !== null && html`<${Content} itemId=${itemId} />`}
  </dialog>`;
}

function Content({ itemId }) {
  const { status, error } = item.state.value;
  const detail = openedItem.value;
  const summary = detail ?? knownItems.value.get(itemId);
  return html`<div class="drawer-content">
    <div class="drawer-tools">
      ${depth.value > 0 && html`<button class="button button-quiet" onClick=${goBack}><${Icon} name="back" /> Back</button>`}
      <button class="tool" onClick=${closeItem} aria-label="Close"><${Icon} name="close" /></button>
    </div>
    ${summary && html`<${Summary} summary=${summary} detail=${detail} />`}
    ${status === "failed" && html`<${Failure} error=${error} retry=${item.retry} />`}
    ${reasons.value.has(itemId) && html`<${Why} ...${reasons.value.get(itemId)} />`}
    ${summary && html`<${Walk} detail=${detail} />`}
    ${status !== "failed" && html`<${Similar} />`}
  </div>`;
}

function Summary({ summary, detail }) {
  const clicked = history.value.includes(summary.item_id);
  return html`<div class="item">
    <div class="item-picture"><${Picture} item=${summary} eager=${true} /></div>
    <div class="item-text">
      <${ConceptChip} concept=${summary.concept} />
      <h2 id="item-title">${summary.title}</h2>
      <div class="item-actions">
        <button class="button button-main" aria-pressed=${clicked} onClick=${() => toggleInHistory(summary.item_id)}>
          <${Icon} name=${clicked ? "added" : "add"} /> ${clicked ? "In your history" : "Add to your history"}
        </button>
        ${view.value === "list" && html`<${Opinions} itemId=${summary.item_id} />`}
      </div>
    </div>
    <div class="item-more">
      <${Facts} summary=${summary} detail=${detail} />
      ${detail && html`<${ConceptWeights} weights=${detail.concept_weights} />`}
    </div>
  </div>`;
}

/** What one can say of an item without clicking it: it steers this list, and the history stays as it is. */
function Opinions({ itemId }) {
  const { liked, disliked, hidden } = steering.value;
  const opine = (opinion) => () => steer(withOpinion(steering.peek(), itemId, opinion));
  return html`<button class="button" aria-pressed=${liked.includes(itemId)} onClick=${opine("liked")}>
      <${Icon} name="like" /> <span>More like this</span>
    </button>
    <button class="button" aria-pressed=${disliked.includes(itemId)} onClick=${opine("disliked")}>
      <${Icon} name="dislike" /> <span>Less like this</span>
    </button>
    <button class="button" disabled=${hidden.includes(itemId)} onClick=${() => hide(itemId)}>
      <${Icon} name="hide" /> <span>Hide</span>
    </button>`;
}

function hide(itemId) {
  closeItem();
  steer(withHidden(steering.peek(), itemId));
}

function Facts({ summary, detail }) {
  const facts = Object.entries(summary.metadata ?? {}).filter(([, value]) => value !== null && value !== "");
  return html`<dl class="facts">
    ${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${writeFact(value)}</dd></div>`)}
    ${detail && html`<div><dt>clicked by</dt><dd>${plural(detail.popularity, "user")}</dd></div>`}
  </dl>`;
}

/** Catalogues often pack lists into one column: "Drama|War". */
const writeFact = (value) => String(value).replaceAll("|", ", ");

function ConceptWeights({ weights }) {
  const strongest = weights.map((weight, concept) => ({ weight, concept })).sort((a, b) => b.weight - a.weight);
  return html`<ul class="weights" aria-label="Concept weights">
    ${strongest.slice(0, CONCEPTS_SHOWN).map(
      ({ weight, concept }) => html`<li key=${concept} style=${conceptStyle(concept)}>
        <${ConceptMark} concept=${concept} />
        <span class="weight-label">${conceptLabel(concept)}</span>
        <span class="component-share"><span style=${{ width: `${weight * 100}%` }}></span></span>
        <span class="weight-share">${percent(weight)}</span>
      </li>`,
    )}
  </ul>`;
}

function Similar() {
  const { status, data, error } = similar.state.value;
  return html`<section class="section similar" aria-labelledby="similar-title">
    <h3 id="similar-title" class="section-title">Most alike</h3>
    ${status === "failed" && html`<${Failure} error=${error} retry=${similar.retry} />`}
    ${!data && status === "loading" && html`<${GridSkeleton} count=${4} />`}
    ${data && html`<${Grid} items=${data.items} label="Similar items" busy=${status === "loading"} card=${ListedCard} />`}
  </section>`;
}
