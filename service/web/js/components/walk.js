/** Walking an item along one of its dimensions: choose the dimension, see the strip, go on from any frame. */
import { conceptLabel, walk, walkedDimension } from "../data.js";
import { dimensionName, strongestFirst } from "../dimensions.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { chooseDimension } from "../navigation.js";
import { percent } from "../words.js";
import { Failure, Nothing } from "./failure.js";
import { WalkStrip } from "./walk_strip.js";

/** A dimension this much weaker than the item's strongest does little. */
const LITTLE = 0.15;
const FRAMES = 8;

/** `detail` is the item with its `top_dimensions`. */
export function Walk({ detail }) {
  const chosen = walkedDimension.value;
  const strongest = strongestFirst(detail.top_dimensions);
  const dimensions = withChosen(strongest, chosen);
  return html`<section class="walk" aria-labelledby="walk-title">
    <h3 id="walk-title" class="section-title">Turn one dimension <small>all else stays as alike as it can</small></h3>
    <${DimensionPicker} dimensions=${dimensions} chosen=${chosen} />
    <${Strip} dimension=${dimensions.find(({ dim }) => dim === chosen)} strongest=${strongest[0]} />
  </section>`;
}

/** The walked dimension may be none of the strongest ten: then it is listed after them, with what is known of it. */
function withChosen(dimensions, chosen) {
  if (chosen === null || dimensions.some(({ dim }) => dim === chosen)) return dimensions;
  const answer = walk.state.value.data;
  const names = answer?.dim === chosen ? { low: answer.low_label, high: answer.high_label } : { low: null, high: null };
  return [...dimensions, { dim: chosen, ...names, importance: null }];
}

function DimensionPicker({ dimensions, chosen }) {
  return html`<div class="dimensions" role="group" aria-label="Dimensions, strongest first" onKeyDown=${arrowKeys(".dimension")}>
    ${dimensions.map(
      (dimension) => html`<button
        key=${dimension.dim}
        class="dimension"
        aria-pressed=${dimension.dim === chosen}
        data-nameless=${!dimension.low && !dimension.high}
        onClick=${() => chooseDimension(dimension.dim)}
      >
        ${dimensionName(dimension)}
      </button>`,
    )}
  </div>`;
}

function Strip({ dimension, strongest }) {
  const { status, data, error } = walk.state.value;
  if (status === "failed") return html`<${Failure} error=${error} retry=${walk.retry} />`;
  if (!data) return html`<${StripSkeleton} />`;
  if (!data.steps.length) return html`<${Nothing} title="No walk here">This concept has too few items to walk through.<//>`;
  return html`<figure class="walk-figure" aria-busy=${status === "loading"}>
    <${WalkStrip} walk=${data} titled=${true} />
    <figcaption>${explain(data, dimension, strongest)}</figcaption>
  </figure>`;
}

function StripSkeleton() {
  const frames = Array.from({ length: FRAMES }, (_, step) => html`<div key=${step} class="skeleton skeleton-picture"></div>`);
  return html`<div class="strip strip-skeleton" role="status" aria-label="Loading">${frames}</div>`;
}

/** What there is to know about this strip, in plain words. */
function explain(data, dimension, strongest) {
  const concept = conceptLabel(data.concept);
  const sentences = ["Click any picture to go on from it."];
  if (dimension?.importance) sentences.push(`This dimension carries ${percent(dimension.importance)} of what tells ${concept} apart.`);
  if (dimension?.importance !== null && dimension?.importance < LITTLE * strongest.importance) sentences.push("That is little: expect no clear change.");
  if (!data.low_label && !data.high_label) sentences.push("Nothing in the catalogue names its ends.");
  if (data.start.step === null) sentences.push("The start lies outside the range that is walked.");
  return sentences.join(" ");
}
