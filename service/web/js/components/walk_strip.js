/** A walk as a strip of pictures: the named ends, a frame for every step, and where among them it started. */
import { useLayoutEffect, useRef } from "../../vendor/hooks.js";
import { arrowKeys } from "../focus.js";
import { framesOf } from "../frames.js";
import { html } from "../html.js";
import { openItem } from "../navigation.js";
import { Picture } from "./picture.js";

const NAMELESS = "no clear name";

/** `walk` is the API's answer; `titled` writes every item's title under its picture. */
export function WalkStrip({ walk, titled = false }) {
  const strip = useRef(null);
  useLayoutEffect(() => showStart(strip.current), [walk]);
  const frames = framesOf(walk);
  return html`<div class="walk-ends">
      <span data-nameless=${!walk.low_label}>${walk.low_label ?? NAMELESS}</span>
      <span data-nameless=${!walk.high_label}>${walk.high_label ?? NAMELESS}</span>
    </div>
    <div class="strip-window" ref=${strip}>
      <ol
        class="strip"
        style=${{ "--frames": frames.length }}
        aria-label="The walk, from its low end"
        onKeyDown=${arrowKeys(".frame-picture")}
      >
        ${frames.map((frame) => html`<${Frame} ...${frame} key=${frame.key} dim=${walk.dim} titled=${titled} />`)}
      </ol>
    </div>`;
}

/** Where the strip is wider than its window, as on a phone, it begins with the start in the middle. */
function showStart(strip) {
  const start = strip.querySelector("[data-start=true]");
  strip.scrollLeft = start.offsetLeft - (strip.clientWidth - start.offsetWidth) / 2;
}

/** The ticks stand at even distances: steps hold equally many items, so the line is one of ranks and not of values. */
function Frame({ item, isStart, dim, titled }) {
  return html`<li class="frame" data-start=${isStart}>
    <button
      class="frame-picture"
      aria-label=${isStart ? `The walk starts here: ${item.title}` : `Go on from ${item.title}`}
      aria-current=${isStart ? "step" : undefined}
      onClick=${() => openItem(item.item_id, dim)}
    >
      <${Picture} item=${item} eager=${true} />
    </button>
    <span class="tick" aria-hidden="true"></span>
    ${titled && html`<span class="frame-title">${isStart && html`<b>Start</b> `}${item.title}</span>`}
  </li>`;
}
