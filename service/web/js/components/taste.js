/** Your taste: a card for every component the history speaks for, and a grey line for every other. */
import { useState } from "../../vendor/hooks.js";
import { conceptList, recommendation, shownTaste } from "../data.js";
import { html } from "../html.js";
import { togglePin } from "../navigation.js";
import { history, pins, settled, sheet, steering } from "../state.js";
import { isSteered, weightOf } from "../steering.js";
import { hasEvidence, strongestFirst } from "../taste.js";
import { percent } from "../words.js";
import { ComponentCard } from "./component_card.js";
import { ConceptMark } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { TasteBar } from "./taste_bar.js";

/** Beside the list where there is room for it, and otherwise a sheet that is drawn up over the list's lower half. */
export function Taste() {
  const data = shownTaste.value;
  const status = data ? "ready" : recommendation.state.value.status;
  const components = data?.fallback ? withoutEvidence(conceptList.value) : strongestFirst(data?.components ?? []);
  const [strong, faint] = split(components);
  return html`<section class="taste" aria-labelledby="taste-title" data-open=${sheet.value}>
    <h2 id="taste-title" class="section-title">Your taste</h2>
    <${Handle} components=${strong} />
    <div id="taste-body" class="taste-body">
      ${status === "failed" && html`<p class="hint">There is nothing to show without a list.</p>`}
      ${!data && status === "loading" && html`<div class="skeleton taste-skeleton"></div>`}
      ${strong.length > 0 && html`<${TasteBar} components=${strong} />`}
      ${strong.length > 0 && html`<${Cards} components=${strong} data=${data} />`}
      ${faint.length > 0 && html`<${Faint} components=${faint} />`}
    </div>
  </section>`;
}

/** Beside those that are pinned one card is open at a time, the strongest at first: a taste is turned part by part. */
function Cards({ components, data }) {
  const [chosen, setChosen] = useState(undefined);
  const ordered = pinnedFirst(components);
  const opened = chosen === undefined ? ordered[0].concept : chosen;
  const clicks = history.value.length - data.unknown;
  const audible = components.filter(({ concept }) => weightOf(steering.value, concept) > 0);
  const card = (component) => {
    const { concept } = component;
    const pinned = pins.value.includes(concept);
    const open = pinned || concept === opened;
    const toggle = () => (pinned ? togglePin(concept) : setChosen(open ? null : concept));
    const last = audible.length === 1 && audible[0].concept === concept;
    return html`<li key=${concept}>
      <${ComponentCard} ...${component} ...${{ clicks, open, toggle, pinned, last }} />
    </li>`;
  };
  return html`<ul class="components">
    ${ordered.map(card)}
  </ul>`;
}

function pinnedFirst(components) {
  const isPinned = ({ concept }) => pins.value.includes(concept);
  return [...components.filter(isPinned), ...components.filter((component) => !isPinned(component))];
}

function Handle({ components }) {
  return html`<button
    class="sheet-handle"
    aria-expanded=${sheet.value}
    aria-controls="taste-body"
    onClick=${pull}
  >
    <${TasteBar} components=${components} />
    <span class="sheet-line">
      <${Icon} name="turn" />
      <span class="sheet-title">${sheet.value ? "Your taste" : "Turn your taste"}</span>
      ${isSteered(settled.value) && html`<small>turned</small>`}
      <${Icon} name="fold" />
    </span>
  </button>`;
}

/** The list shrinks to the window's upper half, so it begins at its beginning. */
function pull() {
  sheet.value = !sheet.value;
  if (sheet.value) window.scrollTo(0, 0);
}

function Faint({ components }) {
  return html`<div class="faint">
    <p>No evidence yet: nothing in your history speaks for these, so there is nothing to turn.</p>
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
