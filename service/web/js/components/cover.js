/** A typographic cover for an item without a picture: its title over a motif in its concept's colour. */
import { conceptStyle } from "../colours.js";
import { html } from "../html.js";

/** Motifs on a 100 × 100 field; an item always gets the same one. */
const MOTIFS = [
  "M62 18a46 46 0 1 1 0 92 46 46 0 0 1 0-92Z",
  "M0 100a50 50 0 0 1 100 0Z",
  "M0 100V62l50-34 50 34v38Z",
  "M0 58h100v9H0ZM0 73h72v9H0ZM0 88h44v9H0Z",
  "M100 22v78H22A78 78 0 0 1 100 22Zm0 30a48 48 0 0 0-48 48h16a32 32 0 0 1 32-32Z",
  "M0 100 0 44 28 100ZM36 100V44l28 56ZM72 100V44l28 56Z",
  "M14 44h20v56H14ZM42 62h20v38H42ZM70 30h20v70H70Z",
  "M0 100C20 50 34 50 52 72S84 84 100 40v60Z",
];

export function Cover({ item }) {
  const { name, foot } = splitTitle(item.title);
  return html`<span class="cover" style=${conceptStyle(item.concept)} data-length=${lengthOf(name)}>
    <svg class="cover-motif" viewBox="0 0 100 100" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
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

function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum >>> 3;
}
