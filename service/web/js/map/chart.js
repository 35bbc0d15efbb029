/** The map's items as typed arrays, and the questions asked of them: what is near, what lies inside a line, what comes next. */

const CELLS = 256; // to a side
const FULL = 65535;

/**
 * @typedef {{ids: string[], xs: Float32Array, ys: Float32Array, concepts: Uint16Array, places: Map<string, number>,
 *   order: Uint32Array, starts: Uint32Array, total: number, prototypes: object[], version: string}} Chart
 *   places in [0, 1]; `places` gives an item's number; `order` and `starts` list the items of each cell of a grid.
 */

/** @returns {Chart} of the answer of `GET /map`, whose items come most popular first. */
export function chartOf({ item_ids: ids, places, concepts, prototypes, total, model_version: version }) {
  const pairs = numbers(places);
  const [xs, ys] = [new Float32Array(ids.length), new Float32Array(ids.length)];
  for (let at = 0; at < ids.length; at++) {
    xs[at] = pairs[2 * at] / FULL;
    ys[at] = pairs[2 * at + 1] / FULL;
  }
  const byId = new Map(ids.map((id, at) => [id, at]));
  return { ids, xs, ys, concepts: numbers(concepts), places: byId, ...grid(xs, ys), total, prototypes, version };
}

/** Base64 of whole numbers of two bytes, the lower byte first. */
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, at) => view.getUint16(2 * at, true));
}

/** Counting sort into cells. */
function grid(xs, ys) {
  const cells = Uint32Array.from(xs, (x, at) => cell(x) + CELLS * cell(ys[at]));
  const starts = new Uint32Array(CELLS * CELLS + 1);
  for (const one of cells) starts[one + 1] += 1;
  for (let one = 0; one < CELLS * CELLS; one++) starts[one + 1] += starts[one];
  const next = starts.slice();
  const order = new Uint32Array(xs.length);
  cells.forEach((one, at) => (order[next[one]++] = at));
  return { order, starts };
}

const cell = (place) => Math.max(0, Math.min(CELLS - 1, Math.floor(place * CELLS)));

/** The item nearest to a place within a distance, or -1; of equal ones the most popular. */
export function nearest({ xs, ys, order, starts }, x, y, within) {
  let [best, least] = [-1, within * within];
  for (let row = cell(y - within); row <= cell(y + within); row++) {
    for (let column = cell(x - within); column <= cell(x + within); column++) {
      const one = column + CELLS * row;
      for (let at = starts[one]; at < starts[one + 1]; at++) {
        const item = order[at];
        const apart = (xs[item] - x) ** 2 + (ys[item] - y) ** 2;
        if (apart < least || (apart === least && item < best)) [best, least] = [item, apart];
      }
    }
  }
  return best;
}

/** The nearest item that lies in a direction, at most 45 degrees off it, or -1. */
export function nextInDirection({ xs, ys }, from, dx, dy) {
  let [best, least] = [-1, Infinity];
  for (let item = 0; item < xs.length; item++) {
    const [x, y] = [xs[item] - xs[from], ys[item] - ys[from]];
    const [along, aside] = [x * dx + y * dy, Math.abs(x * dy - y * dx)];
    const apart = along + 2 * aside; // straight ahead is nearer than it is
    if (along > 0 && aside <= along && apart < least) [best, least] = [item, apart];
  }
  return best;
}

/** The items inside a closed line of places [[x, y], …], most popular first. */
export function inside({ xs, ys }, line) {
  const [left, right] = [Math.min(...line.map(([x]) => x)), Math.max(...line.map(([x]) => x))];
  const found = [];
  for (let item = 0; item < xs.length; item++) {
    if (xs[item] >= left && xs[item] <= right && encloses(line, xs[item], ys[item])) found.push(item);
  }
  return found;
}

/** Whether a ray from the place crosses the line an odd number of times. */
function encloses(line, x, y) {
  let odd = false;
  for (let at = 0, before = line.length - 1; at < line.length; before = at++) {
    const [[ax, ay], [bx, by]] = [line[at], line[before]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}
