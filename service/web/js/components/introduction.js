/** The first screen: what this is, a few walks to prove it, and examples to start from. */
import { useState } from "../../vendor/hooks.js";
import { composeExamples } from "../examples.js";
import { conceptLabel, conceptList, concepts, specimens } from "../data.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { startFrom } from "../navigation.js";
import { capitalise, plural } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Picture } from "./picture.js";
import { Questions } from "./questions.js";
import { WalkStrip } from "./walk_strip.js";

export function Introduction() {
  return html`<div class="introduction">
    <div class="promise">
      <h1>Your taste, in parts. <em>Turn them.</em></h1>
      <p>
        Click a few things you like: Macrid finds the separate tastes behind your clicks, ranks everything for each of
        them, and lets you follow a single quality of any item while the rest stays as alike as it can.
      </p>
    </div>
    <${Specimens} />
    <${Questions} />
    <${Examples} />
  </div>`;
}

function Specimens() {
  const [shown, setShown] = useState(0);
  const { status, data } = specimens.state.value;
  const awaited = status === "loading" || concepts.state.value.status === "loading";
  const walk = data?.[shown];
  if (!walk) return awaited && html`<div class="specimen skeleton"></div>`;
  return html`<figure class="specimen">
    <div class="dimensions" role="group" aria-label="A few turns to look at" onKeyDown=${arrowKeys(".dimension")}>
      ${data.map(
        (each, place) =>
          html`<${Choice} key=${each.concept} walk=${each} chosen=${place === shown} choose=${() => setShown(place)} />`,
      )}
    </div>
    <${WalkStrip} walk=${walk} />
    <figcaption>
      One turn: <strong>${walk.item.title}</strong>, from ${walk.low_label} to ${walk.high_label}.${" "}
      Click any picture to go on from it.
    </figcaption>
  </figure>`;
}

function Choice({ walk, chosen, choose }) {
  return html`<button class="dimension" aria-pressed=${chosen} onClick=${choose}>
    <${ConceptMark}
      concept=${walk.concept}
    /> ${capitalise(conceptLabel(walk.concept))}: ${walk.low_label} ↔ ${walk.high_label}
  </button>`;
}

function Examples() {
  const examples = composeExamples(conceptList.value);
  if (!examples.length) return null;
  return html`<section class="section" aria-labelledby="examples-title">
    <h2 id="examples-title" class="section-title">Start from an example</h2>
    <div class="examples">
      ${examples.map((example) => html`<${Example} key=${example.title} ...${example} />`)}
    </div>
  </section>`;
}

function Example({ title, concepts: mixed, items }) {
  return html`<button class="example" onClick=${() => startFrom(items.map((item) => item.item_id))}>
    <span
      class="example-pictures"
    >
      ${items.slice(0, 6).map((item) => html`<${Picture} key=${item.item_id} item=${item} />`)}
    </span>
    <span class="example-title">${title}</span>
    <span class="example-note">
      ${mixed.map(({ concept }) => html`<${ConceptMark} key=${concept} concept=${concept} />`)} ${plural(items.length, "click")}
    </span>
  </button>`;
}
