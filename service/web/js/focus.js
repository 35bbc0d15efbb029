/** Moving the keyboard's focus: arrows within a grid of cards, and "/" to the search field. */

const STEP = { ArrowLeft: -1, ArrowRight: 1 };

/** Key handler of a container whose stops match `selector`: arrows move, Home and End go to the ends. */
export function arrowKeys(selector) {
  return (event) => {
    const stops = [...event.currentTarget.querySelectorAll(selector)];
    const next = nextStop(event.key, stops, stops.indexOf(event.target));
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
}

function nextStop(key, stops, at) {
  if (at < 0) return null;
  if (key in STEP) return stops[at + STEP[key]];
  if (key === "Home") return stops[0];
  if (key === "End") return stops.at(-1);
  if (key === "ArrowDown") return inNextRow(stops.slice(at + 1), stops[at]);
  if (key === "ArrowUp") return inNextRow(stops.slice(0, at).reverse(), stops[at]);
  return null;
}

/** The nearest stop of the next row: the first candidates that share another top, and of those the one closest in x. */
function inNextRow(candidates, from) {
  const { top, left } = from.getBoundingClientRect();
  const boxes = candidates.map((stop) => ({ stop, box: stop.getBoundingClientRect() }));
  const first = boxes.find(({ box }) => Math.abs(box.top - top) > box.height / 2);
  const row = boxes.filter(({ box }) => first && Math.abs(box.top - first.box.top) < 2);
  return row.sort((a, b) => Math.abs(a.box.left - left) - Math.abs(b.box.left - left))[0]?.stop;
}

export function focusOnSlash(selector) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || typing || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    document.querySelector(selector)?.focus();
  });
}
