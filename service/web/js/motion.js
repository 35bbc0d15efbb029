/** Cards that change places glide there (first, last, invert, play), unless the visitor asked for less motion. */
import { useLayoutEffect, useRef } from "../vendor/hooks.js";

const GLIDE = { duration: 380, easing: "cubic-bezier(.2, .8, .2, 1)" };
const APPEAR = { duration: 260, easing: "ease-out" };

/** @returns a ref for the container; its children carry `data-key`. */
export function useGlide() {
  const container = useRef(null);
  const places = useRef(null);
  useLayoutEffect(() => {
    const children = [...container.current.children];
    const now = new Map(children.map((child) => [child.dataset.key, place(child)]));
    if (places.current && !matchMedia("(prefers-reduced-motion: reduce)").matches)
      children.forEach((child) => play(child, places.current.get(child.dataset.key), now.get(child.dataset.key)));
    places.current = now;
  });
  return container;
}

function place({ offsetLeft, offsetTop }) {
  return { left: offsetLeft, top: offsetTop };
}

function play(child, before, after) {
  if (!before) {
    child.animate([{ opacity: 0 }, { opacity: 1 }], APPEAR);
    return;
  }
  const [x, y] = [before.left - after.left, before.top - after.top];
  if (x || y) glide(child, x, y);
}

/** A card that is still on its way goes on from where it is seen, not from where it was going. */
function glide(child, x, y) {
  const underway = child.getAnimations();
  const seen = underway.length ? new DOMMatrix(getComputedStyle(child).transform) : new DOMMatrix();
  underway.forEach((animation) => animation.cancel());
  const from = `translate(${x + seen.e}px, ${y + seen.f}px)`;
  child.animate([{ transform: from }, { transform: "none" }], GLIDE);
}
