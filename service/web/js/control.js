/** Every way to change the steering, each a step that can be undone: the buttons, the address and Back agree. */
import { batch } from "../vendor/signals.js";
import { modelVersion } from "./api.js";
import { writeAddress } from "./navigation.js";
import { dropped, future, linkedModel, past, pins, settled, sliding, steeredFor, steering } from "./state.js";
import { isSame, UNSTEERED } from "./steering.js";

/** Steps with the same key that follow each other this fast are one: a held arrow key, a shaky hand. In milliseconds. */
const ONE_STEP = 900;
const MOST_STEPS = 100;

let lastKey = null;
let lastTime = 0;

/** While a slider moves: the list follows, but nothing is a step yet. */
export function preview(next) {
  batch(() => {
    sliding.value = true;
    steering.value = next;
  });
}

/** @param {string|null} key what is changed, for changes that come in a quick row. */
export function steer(next, key = null) {
  const joins = key !== null && key === lastKey && performance.now() - lastTime < ONE_STEP;
  [lastKey, lastTime] = [key, performance.now()];
  const changed = !isSame(next, settled.peek());
  batch(() => {
    sliding.value = false;
    if (!changed) return;
    if (!joins) past.value = [...past.peek(), settled.peek()].slice(-MOST_STEPS);
    future.value = [];
    arrive(next);
  });
  if (changed) writeAddress(joins ? "replace" : "push");
}

/** What the sliders previewed becomes a step. */
export const keep = (key) => steer(steering.peek(), key);

export const undo = () => step(past, future);
export const redo = () => step(future, past);
export const reset = () => steer(UNSTEERED);

/** The service says that the steering was made for another model, whose concepts and dimensions mean other things. */
export function dropOutdated() {
  batch(() => {
    linkedModel.value = steeredFor.peek();
    dropped.value = true;
    sliding.value = false;
    past.value = future.value = [];
    pins.value = [];
    arrive(UNSTEERED);
  });
  writeAddress("replace");
}

/** The browser's own Back may have led to the next steering already: then the one after that is meant. */
function step(from, to) {
  const at = from.peek().findLastIndex((steering) => !isSame(steering, settled.peek()));
  if (at < 0) return;
  const next = from.peek()[at];
  lastKey = null;
  batch(() => {
    from.value = from.peek().slice(0, at);
    to.value = [...to.peek(), settled.peek()];
    arrive(next);
  });
  writeAddress("push");
}

function arrive(next) {
  steering.value = settled.value = next;
  steeredFor.value = modelVersion.peek();
}
