/** Numbers and names as the page writes them. */

const WHOLE = new Intl.NumberFormat("en");

export const number = (value) => WHOLE.format(value);

/** 0.034 -> "3 %"; a trace that is not zero is "< 1 %". */
export function percent(share) {
  const rounded = Math.round(share * 100);
  return rounded === 0 && share > 0 ? "< 1 %" : `${rounded} %`;
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Where a slider stands, for those who hear it: "82 % of the way from small to large, your own place is 40 %". */
export function placeInWords(at, own, low, high, label) {
  const way = low && high ? `${percent(at)} of the way from ${low} to ${high}` : `beyond ${percent(at)} of ${label}`;
  return Math.abs(at - own) < 0.005 ? `${way}, your own place` : `${way}; your own place is ${percent(own)}`;
}
