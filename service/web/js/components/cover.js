/** A typographic cover for an item without a picture: its title over a motif in its concept's colour. */
import { conceptStyle } from "../colours.js";
import { html } from "../html.js";

/** Motifs on a field of 100 × 56 that stands on the cover's lower edge; an item always gets the same one. */
const MOTIFS = [
  "M70 8a34 34 0 1 1 0 68 34 34 0 0 1 0-68Z", // a low sun
  "M0 56a50 50 0 0 1 100 0Z", // half a disc
  "M0 56V30L32 8l36 48ZM74 56 88 34l12 10v12Z", // hills
  "M0 18h100v8H0ZM0 33h72v8H0ZM0 48h44v8H0Z", // lines
  "M100 2v54H46A54 54 0 0 1 100 2Zm0 22a32 32 0 0 0-32 32h12a20 20 0 0 1 20-20Z", // arcs
  "M0 56V14l30 42ZM35 56V14l30 42ZM70 56V14l30 42Z", // sails
  "M10 10h22v46H10ZM39 26h22v30H39ZM68 2h22v54H68Z", // towers
  "M0 56V44C16 6 34 6 52 30s32 10 48-24v50Z", // a wave
];

export function Cover({ item }) {
  const { name, foot } = splitTitle(item.title);
  return html`<span class="cover" style=${conceptStyle(item.concept)} data-length=${lengthOf(name)}>
    <svg class="cover-motif" viewBox="0 0 100 56" aria-hidden="true">
      <path d=${MOTIFS[hash(item.item_id) % MOTIFS.length]} fill-rule="evenodd" />
    </svg>
    <span class="cover-initial" aria-hidden="true">${[...name][0] ?? "·"}</span>
    <span class="cover-title">${name}</span>
    ${foot && html`<span class="cover-foot">${foot}</span>`}
  </span>`;
}

/** "Heat (1995)" -> "Heat" and "1995": what a title ends with in brackets is set apart. */
function splitTitle(title) {
  const [, name, foot] = title.match(/^(.+?)\s*\(([^()]{1,12})\)\s*$/) ?? [null, title, ""];
  return { name, foot };
}

function lengthOf(name) {
  const longest = Math.max(...name.split(/\s+/).map((word) => word.length));
  if (name.length > 42 || longest > 13) return "long";
  return name.length > 18 || longest > 9 ? "medium" : "short";
}

/** FNV-1a, so that neighbouring ids get different motifs. */
function hash(text) {
  let sum = 0x811c9dc5;
  for (const letter of text) sum = Math.imul(sum ^ letter.codePointAt(0), 0x01000193);
  return (sum ^ (sum >>> 15)) >>> 0;
}
