/** The page's few icons, drawn on a 20 × 20 field. */
import { html } from "../html.js";

const PATHS = {
  add: "M10 4v12M4 10h12",
  added: "m4.5 10.5 3.7 3.7 7.3-8",
  close: "m5 5 10 10M15 5 5 15",
  back: "M16 10H4.5M9.5 5l-5 5 5 5",
  forward: "M4 10h11.5M10.5 5l5 5-5 5",
  search: "M8.8 3.5a5.3 5.3 0 1 1 0 10.6 5.3 5.3 0 0 1 0-10.6ZM12.8 12.8l3.9 3.9",
  link: "M8.5 11.5a3.2 3.2 0 0 0 4.6.1l2.4-2.4a3.2 3.2 0 0 0-4.6-4.6L9.8 5.7M11.5 8.5a3.2 3.2 0 0 0-4.6-.1l-2.4 2.4a3.2 3.2 0 0 0 4.6 4.6l1.1-1.1",
  sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM10 1.8v1.8M10 16.4v1.8M1.8 10h1.8M16.4 10h1.8M4.2 4.2l1.3 1.3M14.5 14.5l1.3 1.3M4.2 15.8l1.3-1.3M14.5 5.5l1.3-1.3",
  moon: "M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3Z",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
