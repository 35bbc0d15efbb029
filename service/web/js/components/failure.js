/** What went wrong, in the service's own words, and the way to try again. */
import { html } from "../html.js";

export function Failure({ error, retry }) {
  return html`<div class="message" role="alert">
    <h3>${error.title ?? "Something went wrong"}</h3>
    <p>${error.detail ?? error.message}</p>
    <button class="button" onClick=${retry}>Try again</button>
  </div>`;
}

export function Nothing({ title, children }) {
  return html`<div class="message"><h3>${title}</h3><p>${children}</p></div>`;
}
