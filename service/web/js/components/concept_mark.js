/** A concept's small coloured shape, and the chip that puts its name beside it. */
import { conceptShape, conceptStyle } from "../colours.js";
import { conceptLabel } from "../data.js";
import { html } from "../html.js";

export function ConceptMark({ concept }) {
  return html`<svg class="mark" style=${conceptStyle(concept)} viewBox="0 0 12 12" aria-hidden="true">
    <path d=${conceptShape(concept)} fill-rule="evenodd" />
  </svg>`;
}

export function ConceptChip({ concept }) {
  return html`<span class="chip">
    <${ConceptMark} concept=${concept} /><span class="chip-label">${conceptLabel(concept)}</span>
  </span>`;
}
