/** An item's picture, or its typographic cover when it has none or the picture does not load. */
import { useRef, useState } from "../../vendor/hooks.js";
import { computed, signal } from "../../vendor/signals.js";
import { knownItems } from "../catalogue.js";
import { html } from "../html.js";
import { usePicture } from "../pictures.js";
import { Cover } from "./cover.js";

/** Whether a picture that was loaded is upright, such as a film poster. */
const poster = signal(false);

/** Frames are square, unless the catalogue's pictures are upright or it has none: covers look best as a book's do. */
const upright = computed(() => poster.value || coversOnly([...knownItems.value.values()]));

const coversOnly = (items) => items.length > 0 && items.every(({ image }) => !image);

/** The picture says nothing that the control around it does not say: it has no text of its own. */
export function Picture({ item, eager = false }) {
  const [failed, setFailed] = useState(null);
  const frame = useRef(null);
  const address = usePicture(item.image, frame, () => setFailed(item.image));
  const drawn = !item.image || failed === item.image;
  return html`<span class="picture" ref=${frame} data-upright=${upright.value} data-drawn=${drawn}>
    ${drawn
      ? html`<${Cover} item=${item} />`
      : html`<img
          src=${address}
          alt=""
          loading=${eager ? "eager" : "lazy"}
          decoding="async"
          onLoad=${(event) => measure(event.target)}
          onError=${() => setFailed(item.image)}
        />`}
  </span>`;
}

function measure({ naturalWidth, naturalHeight }) {
  if (naturalHeight > naturalWidth * 1.2) poster.value = true;
}
