/** Beside the map: the concepts, one of which can be lit, and the walk that is drawn. */
import { conceptList, conceptLabel, path } from "../data.js";
import { dimensionName } from "../dimensions.js";
import { html } from "../html.js";
import { caught } from "../map/state.js";
import { forgetTrail, openItem } from "../navigation.js";
import { history, spotlight } from "../state.js";
import { capitalise, number } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Icon } from "./icon.js";

export function MapLegend({ data }) {
  return html`<aside class="map-legend" aria-label="What the map shows">
    <ul class="map-concepts">
      ${data.prototypes.map(({ concept }) => html`<li key=${concept}><${Concept} concept=${concept} /></li>`)}
    </ul>
    <${Trail} />
    <dl class="map-signs">
      <div><dt><svg viewBox="-10 -10 20 20" aria-hidden="true"><path d="M0-9 2.6-3.1 9-2.5 4.2 1.7 5.6 8 0 4.7-5.6 8-4.2 1.7-9-2.5-2.6-3.1Z" /></svg></dt><dd>the heart of a concept</dd></div>
      ${history.value.length > 0 && html`<div><dt><svg viewBox="-10 -10 20 20" aria-hidden="true"><circle class="sign-click" r="6" /></svg></dt><dd>your clicks</dd></div>
      <div><dt><svg viewBox="-20 -48 40 50" aria-hidden="true"><path class="sign-pin" d="M0 0C-4-9-17-15-17-29A17 17 0 0 1 17-29C17-15 4-9 0 0Z" /></svg></dt><dd>your taste, and its shares</dd></div>`}
    </dl>
  </aside>`;
}

function Concept({ concept }) {
  const lit = spotlight.value === concept;
  const light = () => {
    caught.value = [];
    spotlight.value = lit ? null : concept;
  };
  return html`<button class="map-concept" aria-pressed=${lit} onClick=${light}>
    <${ConceptMark} concept=${concept} /> ${capitalise(conceptLabel(concept))}
    <small>${number(conceptList.value[concept]?.size ?? 0)}</small>
  </button>`;
}

function Trail() {
  const walk = path.state.value.data;
  if (!walk) return null;
  return html`<div class="map-trail">
    <p>
      A walk, ${dimensionName(walk)}, from${" "}
      <button onClick=${() => openItem(walk.item.item_id, walk.dim)}>${walk.item.title}</button>
    </p>
    <button class="tool" aria-label="Take the walk off the map" onClick=${forgetTrail}><${Icon} name="close" /></button>
  </div>`;
}
