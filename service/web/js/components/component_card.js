/** A component of the taste: what it is, how much it counts, and, folded open, the dimensions it can be turned along. */
import { conceptList, controls, controlsOf, shownAnswer } from "../data.js";
import { conceptStyle } from "../colours.js";
import { steer } from "../control.js";
import { html } from "../html.js";
import { togglePin } from "../navigation.js";
import { spotlight, steering } from "../state.js";
import { appliedTo, AS_IT_IS, turnsOf, weightOf, withoutTurns, withWeight } from "../steering.js";
import { capitalise, percent, plural } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Failure } from "./failure.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";
import { Turn } from "./turn.js";

const EXEMPLARS = 4;
const UNKNOWN_HERE = 404;

/** A concept's weight multiplies its part in every score. */
const WEIGHTS = [
  { weight: 0, word: "Mute" },
  { weight: 0.5, word: "Less" },
  { weight: AS_IT_IS, word: "As is" },
  { weight: 2, word: "More" },
];

/** The confidence of a component is the number of clicks that speak for it, each counted by its concept weight. */
export function ComponentCard({ concept, label, share, confidence, clicks, open, toggle, pinned, last }) {
  const lit = spotlight.value === concept;
  const exemplars = conceptList.value[concept]?.exemplars ?? [];
  const light = () => (spotlight.value = lit ? null : concept);
  const muted = weightOf(steering.value, concept) === 0;
  return html`<article class="component" style=${conceptStyle(concept)} data-lit=${lit} data-muted=${muted}>
    <button class="component-face" aria-pressed=${lit} title="Show what this part puts into the list" onClick=${light}>
      <span class="component-head">
        <${ConceptMark} concept=${concept} />
        <span class="component-label">${capitalise(label)}</span>
        <b>${percent(share)}</b>
      </span>
      <span class="component-share"><span style=${{ width: `${share * 100}%` }}></span></span>
      <span class="component-confidence">confidence ${confidence.toFixed(1)} of ${plural(clicks, "click")}</span>
      <span class="component-exemplars">
        ${exemplars.slice(0, EXEMPLARS).map((item) => html`<${Picture} key=${item.item_id} item=${item} />`)}
      </span>
    </button>
    <div class="component-tools">
      <${Weights} concept=${concept} label=${label} last=${last} />
      <${Pin} concept=${concept} label=${label} pinned=${pinned} />
    </div>
    ${last && html`<p id=${`last-${concept}`} class="turns-note">The last part that counts cannot be muted: nothing would be left to rank.</p>`}
    <${Turns} concept=${concept} label=${label} open=${open} toggle=${toggle} />
  </article>`;
}

function Pin({ concept, label, pinned }) {
  return html`<button
    class="tool component-pin"
    aria-pressed=${pinned}
    aria-label=${`Keep ${label} first and open`}
    title=${pinned ? "Kept first and open" : "Keep first and open"}
    onClick=${() => togglePin(concept)}
  >
    <${Icon} name="pin" />
  </button>`;
}

/** `last`: every other part is muted already, so that this one must stay. */
function Weights({ concept, label, last }) {
  const held = weightOf(steering.value, concept);
  const choose = (weight) => () => steer(withWeight(steering.peek(), concept, weight));
  return html`<fieldset class="weigh">
    <legend class="visually-hidden">How much ${label} count</legend>
    ${WEIGHTS.map(
      ({ weight, word }) => html`<label key=${weight}>
        <input
          type="radio"
          name=${`weight-${concept}`}
          checked=${held === weight}
          disabled=${last && weight === 0}
          aria-describedby=${last && weight === 0 ? `last-${concept}` : undefined}
          onChange=${choose(weight)}
        />
        <span>${word}</span>
      </label>`,
    )}
  </fieldset>`;
}

/** A service without controls (404) has nothing to unfold. */
function Turns({ concept, label, open, toggle }) {
  const { status, error, data } = controls.state.value;
  const turned = turnsOf(steering.value, concept).length;
  const id = `turns-${concept}`;
  if (error?.status === UNKNOWN_HERE) return null;
  return html`<div class="turns-head">
      <button class="turns-fold" aria-expanded=${open} aria-controls=${id} onClick=${toggle}>
        <${Icon} name="fold" /> Turn ${label}
        ${turned > 0 && html`<small>${turned} turned</small>`}
      </button>
      ${turned > 0 &&
      html`<button
        class="turns-reset"
        aria-label=${`Put back everything in ${label}`}
        onClick=${() => steer(withoutTurns(steering.peek(), concept))}
      >
        Put back
      </button>`}
    </div>
    <div id=${id} class="turns" hidden=${!open}>
      ${error && html`<${Failure} error=${error} retry=${controls.retry} />`}
      ${open && !data && status !== "failed" && html`<div class="skeleton turns-skeleton"></div>`}
      ${open && data && html`<${Sliders} concept=${concept} label=${label} />`}
      ${open && html`<${HeldBack} concept=${concept} label=${label} />`}
    </div>`;
}

function Sliders({ concept, label }) {
  const dimensions = controlsOf(concept);
  if (!dimensions.length) {
    return html`<p class="turns-note">None of your clicks is most of all one of ${label}: there is nothing to turn yet.</p>`;
  }
  return dimensions.map(
    (dimension) => html`<${Turn} key=${dimension.dim} concept=${concept} label=${label} dimension=${dimension} />`,
  );
}

/** Turned all the way, a component would leave its concept: the service stops it at the border, and says so. */
function HeldBack({ concept, label }) {
  const held = appliedTo(shownAnswer.value, concept)?.scale;
  if (!(held < 1)) return null;
  return html`<p class="turns-note" role="status">
    Held back to stay within ${capitalise(label)}: ${percent(held)} of the way.
  </p>`;
}
