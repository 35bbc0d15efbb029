/** Finding things: the introduction, what is popular, and every concept's best examples; or the results of a search. */
import { concepts, conceptList, popular } from "../data.js";
import { html } from "../html.js";
import { introduced, query } from "../state.js";
import { capitalise, plural } from "../words.js";
import { FoundCard } from "./card.js";
import { ConceptMark } from "./concept_mark.js";
import { Failure, Nothing } from "./failure.js";
import { Grid, GridSkeleton } from "./grid.js";
import { Introduction } from "./introduction.js";
import { SearchResults } from "./search_results.js";
import { Tray } from "./tray.js";

export function FindView() {
  return html`<main id="main" class="page" tabindex="-1">
      ${query.value.trim() ? html`<${SearchResults} />` : html`<${Shelves} />`}
    </main>
    <${Tray} />`;
}

function Shelves() {
  const shelves = conceptList.value.filter(({ exemplars }) => exemplars.length);
  return html`${introduced.value && html`<${Introduction} />`}
    <${Popular} />
    <${ConceptsFailure} />
    ${shelves.map((concept) => html`<${Shelf} key=${concept.id} ...${concept} />`)}`;
}

/** When nothing works, one message is enough. */
function ConceptsFailure() {
  const { error } = concepts.state.value;
  return error && !popular.state.value.error && html`<${Failure} error=${error} retry=${concepts.retry} />`;
}

function Popular() {
  const { status, data, error } = popular.state.value;
  if (status === "failed") return html`<${Failure} error=${error} retry=${popular.retry} />`;
  return html`<section class="section" aria-labelledby="popular-title">
    <h2 id="popular-title" class="section-title">${introduced.value ? "Or click a few things you like" : "Popular"}</h2>
    ${!data && html`<${GridSkeleton} count=${12} />`}
    ${data?.items.length === 0 && html`<${Nothing} title="The catalogue is empty">This model knows no items.<//>`}
    ${data && html`<${Grid} items=${data.items} label="Popular items" card=${FoundCard} />`}
  </section>`;
}

function Shelf({ concept, label, size, exemplars }) {
  const titleId = `shelf-${concept}`;
  return html`<section class="section" aria-labelledby=${titleId}>
    <h2
      id=${titleId}
      class="section-title"
    >
      <${ConceptMark} concept=${concept} /> ${capitalise(label)} <small>${plural(size, "item")}</small>
    </h2>
    <${Grid} items=${exemplars} label=${label} card=${FoundCard} />
  </section>`;
}
