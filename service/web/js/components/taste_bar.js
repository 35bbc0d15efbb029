/** The whole taste in one line: a segment for every component, as long as its share. */
import { conceptStyle } from "../colours.js";
import { html } from "../html.js";
import { percent } from "../words.js";

export function TasteBar({ components }) {
  if (!components.length) return html`<div class="taste-bar"></div>`;
  return html`<div
    class="taste-bar"
    role="img"
    aria-label=${components.map(({ label, share }) => `${label} ${percent(share)}`).join(", ")}
  >
    ${components
      .filter(({ share }) => share > 0)
      .map((component) => html`<${Segment} key=${component.concept} ...${component} />`)}
  </div>`;
}

function Segment({ concept, label, share }) {
  const style = { ...conceptStyle(concept), flexGrow: share };
  return html`<span style=${style} title=${`${label} ${percent(share)}`}></span>`;
}
