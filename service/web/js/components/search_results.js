/** What was found for the words in the search field. */
import { found } from "../data.js";
import { html } from "../html.js";
import { query } from "../state.js";
import { plural } from "../words.js";
import { FoundCard } from "./card.js";
import { Failure } from "./failure.js";
import { Grid, GridSkeleton } from "./grid.js";

/** How many results are shown; a search that has more is better narrowed than paged through. */
export const RESULTS = 48;

export function SearchResults() {
  const { status, data, error } = found.state.value;
  return html`<section class="section" aria-labelledby="results-title">
    <h2 id="results-title" class="section-title" aria-live="polite">${summarise(status, data)}</h2>
    ${status === "failed" && html`<${Failure} error=${error} retry=${found.retry} />`}
    ${!data && status === "loading" && html`<${GridSkeleton} count=${12} />`}
    ${data?.items.length === 0 && html`<p class="hint">Try another word, or only the beginning of one.</p>`}
    ${data && html`<${Grid} items=${data.items} label="Search results" busy=${status === "loading"} card=${FoundCard} />`}
  </section>`;
}

function summarise(status, data) {
  if (!data) return status === "failed" ? "The search did not work" : "Searching …";
  const words = `for “${query.value.trim()}”`;
  if (data.total === 0) return `Nothing ${words}`;
  if (data.total > data.items.length) return `${plural(data.total, "thing")} ${words}, the first ${data.items.length}`;
  return `${plural(data.total, "thing")} ${words}`;
}
