/** A concept's mark: one of twenty colours (css/tokens.css) and one of seven shapes, so neither must speak alone. */

const COLOURS = 20;

/** Paths on a 12 × 12 field. */
const SHAPES = [
  "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Z", // disc
  "M1.5 1.5h9v9h-9Z", // square
  "M6 .5 11.5 6 6 11.5.5 6Z", // diamond
  "M6 1.2 11.4 10.6H.6Z", // triangle
  "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Zm0 2.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4Z", // ring
  "M1 3.5a5 5 0 0 1 10 0v.2H1ZM1 8.3h10v.2a5 5 0 0 1-10 0Z", // two halves
  "M4.2 1h3.6v3.2H11v3.6H7.8V11H4.2V7.8H1V4.2h3.2Z", // cross
];

/** The style that paints an element in its concept's colour, to be used as `var(--concept)` in the style sheets. */
export function conceptStyle(concept) {
  return { "--concept": `var(--concept-${concept % COLOURS})` };
}

export function conceptShape(concept) {
  return SHAPES[concept % SHAPES.length];
}
