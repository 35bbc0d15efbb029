/** While finding: the history and the taste it makes so far, at the foot of the window, with the way to the list. */
import { recommendation } from "../data.js";
import { html } from "../html.js";
import { clearHistory, show } from "../navigation.js";
import { history } from "../state.js";
import { evident, strongestFirst } from "../taste.js";
import { percent } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { HistoryRow } from "./history_row.js";
import { Icon } from "./icon.js";
import { TasteBar } from "./taste_bar.js";

const NAMED = 3;

export function Tray() {
  if (!history.value.length) return null;
  const components = strongestFirst(recommendation.state.value.data?.components ?? []);
  return html`<aside class="tray" aria-label="Your history and taste">
    <${TasteBar} components=${components} />
    <div class="tray-row">
      <${HistoryRow} />
      <p class="tray-taste" role="status">
        ${evident(components)
          .slice(0, NAMED)
          .map((component) => html`<${Share} key=${component.concept} ...${component} />`)}
      </p>
      <button class="button button-quiet" onClick=${clearHistory}>Clear</button>
      <button class="button button-main" onClick=${() => show("list")}>See your list <${Icon} name="forward" /></button>
    </div>
  </aside>`;
}

function Share({ concept, label, share }) {
  return html`<span class="chip"><${ConceptMark} concept=${concept} />${label} <b>${percent(share)}</b></span>`;
}
