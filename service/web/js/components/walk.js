/** Walking an item along one of its dimensions: choose the dimension, see the strip, go on from any frame. */
import { useState } from "../../vendor/hooks.js";
import { concept, conceptLabel, openedDimensions, strips, walk, walkedDimension } from "../data.js";
import { dimensionName, firstOffer } from "../dimensions.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { chooseDimension, showOnMap } from "../navigation.js";
import { percent } from "../words.js";
import { Failure, Nothing } from "./failure.js";
import { Icon } from "./icon.js";
import { WalkStrip } from "./walk_strip.js";

/** A dimension this much weaker than the concept's most important one does little. */
const LITTLE = 0.15;
const FRAMES = 7;
const OTHERS = 2;

/** `detail` is the item with its `top_dimensions`, or null while it loads. */
export function Walk({ detail }) {
  const dimensions = openedDimensions.value;
  const { error } = concept.state.value;
  return html`<section class="walk" aria-labelledby="walk-title">
    <h3 id="walk-title" class="section-title">Turn one dimension <small>all else stays as alike as it can</small></h3>
    ${error && html`<${Failure} error=${error} retry=${concept.retry} />`}
    ${dimensions && html`<${DimensionPicker} dimensions=${dimensions} detail=${detail} />`}
    ${!error && html`<${Strip} dimensions=${dimensions} />`}
    ${!error && html`<${OtherStrips} dimensions=${dimensions ?? []} />`}
  </section>`;
}

/** The same item along the other strong dimensions, the strongest first. */
function OtherStrips({ dimensions }) {
  const walks = (strips.state.value.data ?? []).filter(({ dim, steps }) => dim !== walkedDimension.value && steps.length);
  return walks.slice(0, OTHERS).map(
    (other) => html`<figure key=${other.dim} class="walk-other">
      <${WalkStrip} walk=${other} />
      ${doesLittle(other, dimensions) && html`<figcaption>This dimension does little here: expect no clear change.</figcaption>`}
    </figure>`,
  );
}

/** Importance is a share of what ranks things within the concept. */
function doesLittle({ dim }, dimensions) {
  const importance = dimensions.find((dimension) => dimension.dim === dim)?.importance;
  return importance < LITTLE * dimensions[0]?.importance;
}

/** The clearest dimensions of the concept; on request, also those on which this item stands out. */
function DimensionPicker({ dimensions, detail }) {
  const [extended, setExtended] = useState(false);
  const extend = () => setExtended(true);
  const chosen = walkedDimension.value;
  const first = firstOffer(dimensions);
  const peculiar = (detail?.top_dimensions ?? []).map(({ dim }) => dimensions.find((dimension) => dimension.dim === dim));
  const more = [...dimensions.filter(({ dim }) => dim === chosen), ...(extended ? peculiar : [])];
  return html`<div
    class="dimensions"
    role="group"
    aria-label="Dimensions, the clearest first"
    onKeyDown=${arrowKeys(".dimension")}
  >
    ${[...new Set([...first, ...more])].map(
      (dimension) => html`<${Choice} key=${dimension.dim} dimension=${dimension} chosen=${dimension.dim === chosen} />`,
    )}
    ${!extended && html`<button class="button button-quiet" onClick=${extend}>Where this one stands out</button>`}
  </div>`;
}

function Choice({ dimension, chosen }) {
  return html`<button
    class="dimension"
    aria-pressed=${chosen}
    data-nameless=${!dimension.low_label && !dimension.high_label}
    title=${`Dimension ${dimension.dim} carries ${percent(dimension.importance)} of what ranks things within the concept`}
    onClick=${() => chooseDimension(dimension.dim)}
  >
    ${dimensionName(dimension)}
  </button>`;
}

function Strip({ dimensions }) {
  const { status, data, error } = walk.state.value;
  if (status === "failed") return html`<${Failure} error=${error} retry=${walk.retry} />`;
  if (!data) return html`<${StripSkeleton} />`;
  if (!data.steps.length) return html`<${Nothing} title="No walk here">This concept has too few items to walk through.<//>`;
  return html`<figure class="walk-figure" aria-busy=${status === "loading"}>
    <${WalkStrip} walk=${data} titled=${true} />
    <figcaption>${explain(data, dimensions ?? [])}</figcaption>
    <button class="button" onClick=${() => showOnMap(data.item.item_id, data.dim)}>
      <${Icon} name="map" /> See it on the map
    </button>
  </figure>`;
}

function StripSkeleton() {
  const frames = Array.from({ length: FRAMES }, (_, step) => html`<div key=${step} class="skeleton skeleton-picture"></div>`);
  return html`<div class="strip strip-skeleton" role="status" aria-label="Loading">${frames}</div>`;
}

/** What there is to know about this strip, in plain words. */
function explain({ concept: walkedConcept, dim, low_label, high_label, start }, dimensions) {
  const sentences = ["Click any picture to go on from it."];
  if (doesLittle({ dim }, dimensions)) sentences.push(`This dimension does little in ${conceptLabel(walkedConcept)}: expect no clear change.`);
  if (!low_label && !high_label) sentences.push("Nothing in the catalogue names its ends.");
  if (start.step === null) sentences.push("The start lies outside the range that is walked.");
  return sentences.join(" ");
}
