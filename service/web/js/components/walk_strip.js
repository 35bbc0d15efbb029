/** A walk as a strip of pictures: the named ends, a frame for every step, and a line with a mark where it started. */
import { useLayoutEffect, useRef } from "../../vendor/hooks.js";
import { arrowKeys } from "../focus.js";
import { html } from "../html.js";
import { openItem } from "../navigation.js";
import { Picture } from "./picture.js";

const NAMELESS = "no clear name";

/** `walk` is the API's answer; `titled` writes every item's title under its picture. */
export function WalkStrip({ walk, titled = false }) {
  const frames = useRef(null);
  useLayoutEffect(() => showStart(frames.current), [walk]);
  return html`<div class="walk-ends">
      <span data-nameless=${!walk.low_label}>${walk.low_label ?? NAMELESS}</span>
      <span data-nameless=${!walk.high_label}>${walk.high_label ?? NAMELESS}</span>
    </div>
    <div class="strip-window" ref=${frames}>
      <ol class="strip" style=${{ "--steps": walk.steps.length }} aria-label="The walk, step by step" onKeyDown=${arrowKeys(".frame-picture")}>
        ${walk.steps.map((step) => html`<${Frame} key=${step.step} ...${step} walk=${walk} titled=${titled} />`)}
      </ol>
    </div>`;
}

/** Where the strip is wider than its window, as on a phone, it begins with the start in the middle. */
function showStart(frames) {
  const start = frames.querySelector("[data-start=true]");
  if (start) frames.scrollLeft = start.offsetLeft - (frames.clientWidth - start.offsetWidth) / 2;
}

/** The steps hold equally many items, so the line is one of ranks, not of values; the mark stands in the start's own step. */
function Frame({ step, item, walk, titled }) {
  const isStart = item.item_id === walk.item.item_id;
  const place = `Step ${step + 1} of ${walk.steps.length}: ${item.title}`;
  return html`<li class="frame" data-start=${isStart}>
    <button
      class="frame-picture"
      aria-label=${isStart ? `${place}. The walk starts here` : `${place}. Go on from here`}
      aria-current=${isStart ? "step" : undefined}
      onClick=${() => openItem(item.item_id, walk.dim)}
    >
      <${Picture} item=${item} eager=${true} />
    </button>
    <span class="tick" data-start=${step === walk.start.step} aria-hidden="true"></span>
    ${titled && html`<span class="frame-title">${isStart && html`<b>Start</b> `}${item.title}</span>`}
  </li>`;
}
