/** What happens on the map: where it is looked at from, what is pointed at, what is drawn around. */
import { computed, signal } from "../../vendor/signals.js";
import { chart } from "../data.js";
import { trail } from "../state.js";
import { around, fitted, including, moved, toMap, zoomed } from "./camera.js";
import { inside, nearest, nextInDirection } from "./chart.js";

const REACH = 14; // pixels from which a point can be pointed at
const KEY_ZOOM = 1.5;

/** The window in pixels. */
export const size = signal({ width: 0, height: 0 });

/** Null: the whole map, however large the window is. */
export const ownCamera = signal(null);

export const whole = computed(() => fitted(size.value.width, size.value.height));
export const camera = computed(() => ownCamera.value ?? whole.value);

/** The number of the item that is pointed at, or -1; and whether it stays so when the pointer goes. */
export const pointed = signal(-1);
export const pinned = signal(false);

/** Whether a drag draws a lasso; the line while it is drawn, in pixels; and what lies inside the last one. */
export const lassoing = signal(false);
export const line = signal([]);
export const caught = signal([]);

export const chartData = computed(() => chart.state.value.data);

/** The walk that was on its way or drawn when the visitor last moved the map: it moves the map no more. */
let settledFor = null;

function look(from) {
  ownCamera.value = from;
  settledFor = trail.peek();
}

export const pan = (dx, dy) => look(moved(camera.peek(), dx, dy));
export const zoom = (factor, x = size.peek().width / 2, y = size.peek().height / 2) => {
  look(zoomed(camera.peek(), factor, x, y, whole.peek()));
};
export const zoomIn = () => zoom(KEY_ZOOM);
export const zoomOut = () => zoom(1 / KEY_ZOOM);
export const showAll = () => look(null);

export function itemAt(x, y) {
  const view = camera.peek();
  return nearest(chartData.peek(), ...toMap(view, x, y), REACH / view.scale);
}

export function point(item, stays = false) {
  pointed.value = item;
  pinned.value = stays && item >= 0;
}

/** Arrow keys go from item to item, and the map follows. */
export function step(dx, dy) {
  const data = chartData.peek();
  const { width, height } = size.peek();
  const view = camera.peek();
  const from = pointed.peek();
  const next =
    from < 0
      ? nearest(data, ...toMap(view, width / 2, height / 2), Math.max(width, height) / view.scale)
      : nextInDirection(data, from, dx, dy);
  if (next < 0) return;
  point(next, true);
  const into = including(view, data.xs[next], data.ys[next], width, height);
  if (into.left !== view.left || into.top !== view.top) look(into);
}

/** @param {number[][]} around a line in pixels. */
export function catchInside(around) {
  const view = camera.peek();
  caught.value = inside(chartData.peek(), around.map(([x, y]) => toMap(view, x, y)));
  line.value = [];
  lassoing.value = false;
  point(-1);
}

export function catchAllInSight() {
  const { width, height } = size.peek();
  catchInside([[0, 0], [width, 0], [width, height], [0, height]]);
}

/** Go so near to the items of the walk that one sees how they lie, unless the visitor has looked elsewhere since it was asked for. */
export function approach(items) {
  if (settledFor && settledFor === trail.peek()) return;
  const data = chartData.peek();
  const { width, height } = size.peek();
  const places = items.filter((item) => item !== undefined).map((item) => [data.xs[item], data.ys[item]]);
  if (places.length && width) ownCamera.value = around(places, width, height, whole.peek());
}

/** Another model has another map. */
export function forgetAll() {
  ownCamera.value = settledFor = null;
  caught.value = [];
  line.value = [];
  point(-1);
}
