/** The list made for a history: the history, the taste in it, and the ranking. */
import { redo, reset, undo } from "../control.js";
import { conceptLabel, recommendation } from "../data.js";
import { html } from "../html.js";
import { clearHistory, show } from "../navigation.js";
import { amount, future, history, MOST, PAGE, past, settled, sheet, sliding, spotlight } from "../state.js";
import { isSteered } from "../steering.js";
import { ListedCard } from "./card.js";
import { Failure, Nothing } from "./failure.js";
import { Grid, GridSkeleton } from "./grid.js";
import { HistoryRow } from "./history_row.js";
import { Icon } from "./icon.js";
import { ListNotes } from "./list_notes.js";
import { Taste } from "./taste.js";
import { plural } from "../words.js";

export function ListView() {
  return html`<main id="main" class="page list-view" tabindex="-1" data-sheet=${sheet.value}>
    <h1 class="visually-hidden">Your taste and your list</h1>
    <${History} />
    <${Taste} />
    <${Ranking} />
  </main>`;
}

function History() {
  return html`<section class="history" aria-labelledby="history-title">
    <div class="history-head">
      <h2
        id="history-title"
        class="section-title"
      >
        Your history <small>${plural(history.value.length, "click")}</small>
      </h2>
      <button class="button" onClick=${() => show("find")}><${Icon} name="add" /> Add more</button>
      <button class="button button-quiet" onClick=${clearHistory}>Clear</button>
    </div>
    <${HistoryRow} />
  </section>`;
}

function Ranking() {
  const { status, data, error } = recommendation.state.value;
  return html`<section class="ranking" aria-labelledby="ranking-title">
    <div class="ranking-head">
      <h2 id="ranking-title" class="section-title">Your list <small aria-live="polite">${describe(data)}</small></h2>
      <${Steps} />
    </div>
    <${ListNotes} data=${data} />
    ${status === "failed" && html`<${Failure} error=${error} retry=${recommendation.retry} />`}
    ${!data && status !== "failed" && html`<${GridSkeleton} count=${12} />`}
    ${data && html`<${Ranked} ...${data} busy=${status === "loading" && !sliding.value} />`}
  </section>`;
}

/** Nothing to see before the first step. */
function Steps() {
  const steered = isSteered(settled.value);
  if (!steered && !past.value.length && !future.value.length) return null;
  return html`<div class="steps" role="group" aria-label="Steps">
    <button class="tool" disabled=${!past.value.length} onClick=${undo} aria-label="Undo" title="Undo">
      <${Icon} name="undo" />
    </button>
    <button class="tool" disabled=${!future.value.length} onClick=${redo} aria-label="Redo" title="Redo">
      <${Icon} name="redo" />
    </button>
    <button class="button" disabled=${!steered} onClick=${reset}>Reset all</button>
  </div>`;
}

function Ranked({ fallback, items, busy }) {
  if (!items.length) {
    return html`<${Nothing} title="Nothing left to recommend">Your history holds everything this model knows.<//>`;
  }
  const more = items.length >= amount.value && amount.value < MOST;
  const showMore = () => (amount.value += PAGE);
  return html`${fallback && html`<p class="hint">This model knows nothing of your history: this is simply what is popular.</p>`}
    <${Grid} items=${items} label="Recommendations, best first" busy=${busy} card=${ListedCard} />
    ${more && html`<button class="button show-more" onClick=${showMore}>Show more</button>`}`;
}

function describe(data) {
  if (!data) return "";
  if (data.fallback) return `the ${data.items.length} most popular`;
  if (spotlight.value === null) return `best ${data.items.length} for you${data.steering ? ", as turned" : ""}`;
  const lit = data.items.filter(({ concept }) => concept === spotlight.value).length;
  return `${lit} of ${data.items.length} from ${conceptLabel(spotlight.value)}`;
}
