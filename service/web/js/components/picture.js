/** An item's picture, or its typographic cover when it has none or the picture does not load. */
import { useState } from "../../vendor/hooks.js";
import { signal } from "../../vendor/signals.js";
import { pictureAddress } from "../api.js";
import { html } from "../html.js";
import { Cover } from "./cover.js";

/** Frames are square until a catalogue turns out to have upright pictures, such as film posters, or none at all. */
const upright = signal(false);

/** The picture says nothing that the control around it does not say: it has no text of its own. */
export function Picture({ item, eager = false }) {
  const [failed, setFailed] = useState(null);
  const drawn = !item.image || failed === item.image;
  return html`<span class="picture" data-upright=${upright.value}>
    ${drawn
      ? html`<${Cover} item=${item} />`
      : html`<img
          src=${pictureAddress(item.image)}
          alt=""
          loading=${eager ? "eager" : "lazy"}
          decoding="async"
          onLoad=${(event) => measure(event.target)}
          onError=${() => setFailed(item.image)}
        />`}
  </span>`;
}

function measure({ naturalWidth, naturalHeight }) {
  if (naturalHeight > naturalWidth * 1.2) upright.value = true;
}
