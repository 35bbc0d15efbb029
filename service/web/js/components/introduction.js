/** The first screen: what this is, one walk to prove it, and examples to start from. */
import { composeExamples } from "../examples.js";
import { concepts, conceptList, specimen } from "../data.js";
import { html } from "../html.js";
import { startFrom } from "../navigation.js";
import { plural } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Picture } from "./picture.js";
import { WalkStrip } from "./walk_strip.js";

export function Introduction() {
  return html`<div class="introduction">
    <div class="promise">
      <h1>Your taste, in parts. <em>Turn them.</em></h1>
      <p>
        Click a few things you like: Macrid finds the separate tastes behind your clicks, ranks everything for each of them, and
        lets you follow a single quality of any item while the rest stays the same.
      </p>
    </div>
    <${Specimen} />
    <${Examples} />
  </div>`;
}

function Specimen() {
  const { status, data: walk } = specimen.state.value;
  const awaited = status === "loading" || concepts.state.value.status === "loading";
  if (!walk) return awaited && html`<div class="specimen skeleton"></div>`;
  return html`<figure class="specimen">
    <${WalkStrip} walk=${walk} />
    <figcaption>One turn: <strong>${walk.item.title}</strong>, from ${walk.low_label} to ${walk.high_label}. Click any picture to go on from it.</figcaption>
  </figure>`;
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
    <span class="example-pictures">${items.slice(0, 6).map((item) => html`<${Picture} key=${item.item_id} item=${item} />`)}</span>
    <span class="example-title">${title}</span>
    <span class="example-note">
      ${mixed.map(({ concept }) => html`<${ConceptMark} key=${concept} concept=${concept} />`)} ${plural(items.length, "click")}
    </span>
  </button>`;
}
