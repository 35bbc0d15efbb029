/** Short words to the visitor: what was just done, and what changed behind a shared link. */
import { modelVersion } from "../api.js";
import { html } from "../html.js";
import { dropped, linkedModel, notice } from "../state.js";

export function Notices() {
  return html`<div class="toast" role="status" data-shown=${notice.value !== ""}>${notice.value}</div>`;
}

/** A link is made for one model; another one may see the same history differently. */
export function ModelChanged() {
  const [linked, current] = [linkedModel.value, modelVersion.value];
  if (!linked || !current || linked === current) return null;
  return html`<p class="hint model-changed" role="status">
    ${dropped.value ? "What you turned was made for" : "This link was made with"} the model <code>${linked}</code>. The model
    has changed since, to <code>${current}</code>, ${dropped.value ? "so it was put back." : "so the list may differ."}
    <button class="button button-quiet" onClick=${() => (linkedModel.value = null)}>All right</button>
  </p>`;
}
