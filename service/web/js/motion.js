/** Cards that change places glide there (first, last, invert, play), unless the visitor asked for less motion. */
import { useLayoutEffect, useRef } from "../vendor/hooks.js";

const GLIDE = { duration: 380, easing: "cubic-bezier(.2, .8, .2, 1)" };
const APPEAR = { duration: 260, easing: "ease-out" };

/**
 * @param {any} shown what the container shows: its children may have moved when this is another.
 * @param {boolean} glides false while a slider moves: the next list comes before the cards have arrived, and measuring them
 *   is what takes longest then.
 * @returns a ref for the container; its children carry `data-key`.
 */
export function useGlide(shown, glides) {
  const container = useRef(null);
  const places = useRef(null);
  useLayoutEffect(() => {
    if (!glides) {
      places.current = null;
      return;
    }
    const children = [...container.current.children];
    const now = new Map(children.map((child) => [child.dataset.key, place(child)]));
    if (places.current && !matchMedia("(prefers-reduced-motion: reduce)").matches) move(children, places.current, now);
    places.current = now;
  }, [shown]);
  return container;
}

function place({ offsetLeft, offsetTop }) {
  return { left: offsetLeft, top: offsetTop };
}

/** All is measured before anything is set in motion: a measurement after a change makes the browser lay out again. */
function move(children, before, now) {
  const seen = children.map(shift);
  children.forEach((child, at) => play(child, before.get(child.dataset.key), now.get(child.dataset.key), seen[at]));
}

/** How far from its place a card is seen that is still on its way. */
function shift(child) {
  if (!child.getAnimations().length) return { x: 0, y: 0 };
  const { e, f } = new DOMMatrix(getComputedStyle(child).transform);
  return { x: e, y: f };
}

/** A card on its way goes on from where it is seen, not from where it was going. */
function play(child, before, after, seen) {
  if (!before) {
    child.animate([{ opacity: 0 }, { opacity: 1 }], APPEAR);
    return;
  }
  const [x, y] = [before.left - after.left, before.top - after.top];
  if (!x && !y) return;
  child.getAnimations().forEach((animation) => animation.cancel());
  child.animate([{ transform: `translate(${x + seen.x}px, ${y + seen.y}px)` }, { transform: "none" }], GLIDE);
}
