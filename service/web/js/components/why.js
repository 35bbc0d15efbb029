/** Why an item is in the list: the parts of the taste that put it there, and the clicks that speak for it. */
import { conceptStyle } from "../colours.js";
import { dimensionName } from "../dimensions.js";
import { html } from "../html.js";
import { chooseDimension, openItem } from "../navigation.js";
import { percent } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Picture } from "./picture.js";

/** A part with less than this has no say worth a line. */
const SAY = 0.005;
const PARTS = 3;

/** The fields of the API's `why`. */
export function Why({ shares, clicks, dimensions }) {
  return html`<section class="why" aria-labelledby="why-title">
    <h3 id="why-title" class="section-title">Why it is in your list</h3>
    <div class="why-columns">
      <div>
        <h4>Which part of your taste put it there</h4>
        <${Shares} shares=${shares.filter(({ share }) => share >= SAY).slice(0, PARTS)} />
      </div>
      <div>
        <h4>Your clicks that speak for it most</h4>
        <${Clicks} clicks=${clicks} />
      </div>
    </div>
    ${dimensions.length > 0 && html`<${Agreement} dimensions=${dimensions} />`}
  </section>`;
}

/** Where the item and your taste lie on the same side, each with its part of the likeness; a click walks along it. */
function Agreement({ dimensions }) {
  const most = dimensions[0].contribution;
  return html`<div class="why-dimensions">
    <h4>Where it and your taste agree most</h4>
    <ul>
      ${dimensions.map(
        (dimension) => html`<li key=${dimension.dim}>
          <button title=${`Walk along ${dimensionName(dimension)}`} onClick=${() => chooseDimension(dimension.dim)}>
            <span>${sideOf(dimension)}</span>
            <span class="component-share"><span style=${{ width: `${(100 * dimension.contribution) / most}%` }}></span></span>
          </button>
        </li>`,
      )}
    </ul>
  </div>`;
}

/** Both coordinates have the same sign, or the dimension would not agree. */
function sideOf({ dim, item_value, low_label, high_label }) {
  const [label, end] = item_value < 0 ? [low_label, "low"] : [high_label, "high"];
  return label ?? `Dimension ${dim}, the ${end} end`;
}

function Shares({ shares }) {
  return html`<ul class="weights">
    ${shares.map(
      ({ concept, label, share }) => html`<li key=${concept} style=${conceptStyle(concept)}>
        <${ConceptMark} concept=${concept} />
        <span class="weight-label">${label}</span>
        <span class="component-share"><span style=${{ width: `${share * 100}%` }}></span></span>
        <span class="weight-share">${percent(share)}</span>
      </li>`,
    )}
  </ul>`;
}

function Clicks({ clicks }) {
  return html`<ol class="why-clicks">
    ${clicks.map(
      ({ item }) => html`<li key=${item.item_id}>
        <button onClick=${() => openItem(item.item_id)} aria-label=${`Look closer at ${item.title}`}>
          <${Picture} item=${item} />
          <span>${item.title}</span>
        </button>
      </li>`,
    )}
  </ol>`;
}
