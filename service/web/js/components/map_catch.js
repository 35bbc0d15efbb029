/** What a lasso caught: how much of what, the most popular of it, and the way into the history. */
import { useEffect } from "../../vendor/hooks.js";
import { knownItems } from "../catalogue.js";
import { caughtItems, conceptLabel } from "../data.js";
import { html } from "../html.js";
import { addToHistory, openItem } from "../navigation.js";
import { caught } from "../map/state.js";
import { plural } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

/** A history that is to be read and passed on as a link is not made of hundreds. */
const MOST = 12;
const CONCEPTS = 3;

export function MapCatch({ data, items }) {
  const ids = items.slice(0, MOST).map((item) => data.ids[item]);
  useEffect(() => caughtItems.request(ids), [ids.join("\n")]);
  const take = () => {
    addToHistory(ids);
    caught.value = [];
  };
  return html`<section class="map-catch" aria-labelledby="catch-title">
    <div class="map-catch-head">
      <h2 id="catch-title" class="section-title">${plural(items.length, "thing")}</h2>
      <p class="map-catch-concepts">${count(data, items).map((each) => html`<${Part} key=${each.concept} ...${each} />`)}</p>
      <button class="tool" aria-label="Let go" onClick=${() => (caught.value = [])}><${Icon} name="close" /></button>
    </div>
    <ul class="map-catch-row">
      ${ids.map((itemId) => html`<li key=${itemId}><${Found} item=${knownItems.value.get(itemId)} /></li>`)}
    </ul>
    <button class="button button-main" onClick=${take}>
      <${Icon} name="add" /> ${items.length > MOST ? `Add the ${MOST} most popular` : `Add ${items.length === 1 ? "it" : `all ${items.length}`}`} to
      your history
    </button>
  </section>`;
}

function Found({ item }) {
  if (!item) return html`<span class="picture skeleton"></span>`;
  return html`<button aria-label=${`Look closer at ${item.title}`} title=${item.title} onClick=${() => openItem(item.item_id)}>
    <${Picture} item=${item} />
  </button>`;
}

function Part({ concept, items }) {
  return html`<span class="chip"><${ConceptMark} concept=${concept} />${items} ${conceptLabel(concept)}</span>`;
}

function count({ concepts }, items) {
  const sums = new Map();
  items.forEach((item) => sums.set(concepts[item], (sums.get(concepts[item]) ?? 0) + 1));
  return [...sums]
    .map(([concept, number]) => ({ concept, items: number }))
    .sort((a, b) => b.items - a.items)
    .slice(0, CONCEPTS);
}
