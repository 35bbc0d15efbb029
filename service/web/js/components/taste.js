/** Your taste: a card for every component the history speaks for, and a grey line for every other. */
import { conceptList, recommendation } from "../data.js";
import { conceptStyle } from "../colours.js";
import { html } from "../html.js";
import { history, spotlight } from "../state.js";
import { hasEvidence, strongestFirst } from "../taste.js";
import { capitalise, percent, plural } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Picture } from "./picture.js";
import { TasteBar } from "./taste_bar.js";

const EXEMPLARS = 4;

export function Taste() {
  const { status, data } = recommendation.state.value;
  const components = data?.fallback ? withoutEvidence(conceptList.value) : strongestFirst(data?.components ?? []);
  const [strong, faint] = split(components);
  const clicks = history.value.length - (data?.unknown_items.length ?? 0);
  return html`<section class="taste" aria-labelledby="taste-title">
    <h2 id="taste-title" class="section-title">Your taste</h2>
    ${status === "failed" && html`<p class="hint">There is nothing to show without a list.</p>`}
    ${!data && status === "loading" && html`<div class="skeleton taste-skeleton"></div>`}
    ${strong.length > 0 && html`<${TasteBar} components=${strong} />`}
    <ul class="components">
      ${strong.map((component) => html`<li key=${component.concept}><${ComponentCard} ...${component} clicks=${clicks} /></li>`)}
    </ul>
    ${faint.length > 0 && html`<${Faint} components=${faint} />`}
  </section>`;
}

/** The confidence of a component is the number of clicks that speak for it, each counted by its concept weight. */
function ComponentCard({ concept, label, share, confidence, clicks }) {
  const lit = spotlight.value === concept;
  const exemplars = conceptList.value[concept]?.exemplars ?? [];
  const toggle = () => (spotlight.value = lit ? null : concept);
  return html`<button class="component" style=${conceptStyle(concept)} aria-pressed=${lit} onClick=${toggle}>
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
  </button>`;
}

function Faint({ components }) {
  return html`<div class="faint">
    <p>No evidence yet: nothing in your history speaks for these.</p>
    <ul>
      ${components.map(
        ({ concept, label, share }) => html`<li key=${concept}>
          <${ConceptMark} concept=${concept} />${label}<span>${percent(share)}</span>
        </li>`,
      )}
    </ul>
  </div>`;
}

/** Nothing of the history is known: every concept is one that nothing speaks for. */
function withoutEvidence(concepts) {
  return concepts.map(({ concept, label }) => ({ concept, label, share: 0 }));
}

function split(components) {
  const strong = components.filter((component) => hasEvidence(component, components));
  return [strong, components.filter((component) => !strong.includes(component))];
}
