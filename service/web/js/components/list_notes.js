/** Quiet lines above the ranking: what the steering took out of it, and what the visitor said of single items. */
import { knownItems } from "../catalogue.js";
import { steer } from "../control.js";
import { html } from "../html.js";
import { openItem } from "../navigation.js";
import { steering } from "../state.js";
import { plural } from "../words.js";

const SAID = [
  { kind: "hidden", word: "Hidden" },
  { kind: "liked", word: "More like" },
  { kind: "disliked", word: "Less like" },
];

/** `data` is the answer that is shown, or null. The first line is always there, so that nothing jumps. */
export function ListNotes({ data }) {
  const said = SAID.filter(({ kind }) => steering.value[kind].length);
  return html`<${Left} data=${data} /> ${said.map((each) => html`<${Said} key=${each.kind} ...${each} />`)}`;
}

/** One line whatever its length: the window cuts it off. */
function Left({ data }) {
  const left = data?.steering?.left ?? [];
  return html`<p class="list-note list-left">
    <span class="list-note-text">
      ${left.length > 0
        ? html`${plural(left.length, "thing")} left the list: ${left.map((item, place) => html`${place > 0 && ", "}<${Gone} key=${item.item_id} ...${item} />`)}`
        : remark(data)}
    </span>
  </p>`;
}

function Gone({ item_id, title, rank_before }) {
  return html`<button tabindex="-1" title=${`It was number ${rank_before}`} onClick=${() => openItem(item_id)}>${title}</button>`;
}

function remark(data) {
  if (!data || data.fallback) return "";
  return data.steering ? "Nothing left the list." : "Turn a part of your taste, and watch the list follow.";
}

function Said({ kind, word }) {
  const titles = steering.value[kind].map((itemId) => knownItems.value.get(itemId)?.title ?? itemId);
  return html`<p class="list-note">
    <span class="list-note-text">${word}: ${titles.join(", ")}</span>
    <button class="button button-quiet" onClick=${() => steer({ ...steering.peek(), [kind]: [] })}>Take back</button>
  </p>`;
}
