/** A slider along one dimension: its ends named and pictured, a mark at the visitor's own place. */
import { keep, preview, steer } from "../control.js";
import { shownAnswer } from "../data.js";
import { html } from "../html.js";
import { sliding, steering } from "../state.js";
import { stoppedAt, turnsOf, withTurn } from "../steering.js";
import { percent, placeInWords } from "../words.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

const NAMELESS = "no clear name";

/** The scale is one of ranks: the share of the concept's items that lie below. */
export function Turn({ concept, label, dimension }) {
  const { dim, low_label, high_label, quantile: own, low_item, high_item } = dimension;
  const turn = turnsOf(steering.value, concept).find((other) => other.dim === dim);
  const at = turn?.quantile ?? own;
  const key = `turn ${concept} ${dim}`;
  const place = (event) => preview(withTurn(steering.peek(), concept, dim, Number(event.target.value)));
  const putBack = () => steer(withTurn(steering.peek(), concept, dim, null));
  const [low, high] = [low_label ?? NAMELESS, high_label ?? NAMELESS];
  const stop = turn && !sliding.value ? stoppedAt(shownAnswer.value, turn) : null;
  return html`<div class="turn" data-turned=${Boolean(turn)} style=${{ "--own": own, "--at": at, "--stop": stop?.quantile }}>
    <p class="turn-ends">
      <span data-nameless=${!low_label}>${low}</span>
      ${turn &&
      html`<button class="turn-back" aria-label=${`Put ${low} to ${high} back`} title="Put back" onClick=${putBack}>
        <${Icon} name="undo" />
      </button>`}
      <span data-nameless=${!high_label}>${high}</span>
    </p>
    <span class="turn-end" title=${low_item.title}><${Picture} item=${low_item} /></span>
    <span class="turn-track">
      <input
        type="range"
        min="0"
        max="1"
        step="0.01"
        value=${at}
        aria-label=${`${label}: from ${low} to ${high}`}
        aria-valuetext=${placeInWords(at, own, low_label, high_label, label)}
        onInput=${place}
        onChange=${() => keep(key)}
      />
      <span class="turn-own" title="Your own place" aria-hidden="true"></span>
      ${stop && html`<span class="turn-stop" title="As far as it went" aria-hidden="true"></span>`}
    </span>
    <span class="turn-end" title=${high_item.title}><${Picture} item=${high_item} /></span>
    ${stop && html`<p class="turn-note" role="status">Went to ${percent(stop.quantile)}: ${reason(stop, label)}</p>`}
  </div>`;
}

function reason({ isCut }, label) {
  return isCut ? `farther on it would no longer be ${label}.` : `all turns together would lead out of ${label}.`;
}
