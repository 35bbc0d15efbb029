/** Where the map is looked at from: `scale` pixels for the map's side, and where its corner lies in the window. */

const MARGIN = 56; // pixels around the whole map
const CLOSEST = 60; // times the whole

/** @typedef {{scale: number, left: number, top: number}} Camera */

/** @returns {Camera} that shows everything. */
export function fitted(width, height) {
  const scale = Math.max(Math.min(width, height) - 2 * MARGIN, 80);
  return { scale, left: (width - scale) / 2, top: (height - scale) / 2 };
}

export const toScreen = ({ scale, left, top }, x, y) => [left + x * scale, top + y * scale];
export const toMap = ({ scale, left, top }, x, y) => [(x - left) / scale, (y - top) / scale];

export const moved = (camera, dx, dy) => ({ ...camera, left: camera.left + dx, top: camera.top + dy });

/** Nearer by a factor, while the place under a point of the window stays there. */
export function zoomed(camera, factor, x, y, whole) {
  const scale = Math.max(whole.scale / 2, Math.min(whole.scale * CLOSEST, camera.scale * factor));
  const real = scale / camera.scale;
  return { scale, left: x - (x - camera.left) * real, top: y - (y - camera.top) * real };
}

/** @returns {Camera} so near that some places fill about half of the window. */
export function around(places, width, height, whole) {
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const wanted = Math.min(width / (right - left || 1e-3), height / (bottom - top || 1e-3)) / 2;
  const scale = Math.max(whole.scale, Math.min(wanted, whole.scale * CLOSEST));
  return { scale, left: width / 2 - ((left + right) / 2) * scale, top: height / 2 - ((top + bottom) / 2) * scale };
}

/** So that a place lies inside the window, if it does not already; moved no farther than needed. */
export function including(camera, x, y, width, height) {
  const [at, down] = toScreen(camera, x, y);
  const into = (value, size) => Math.max(MARGIN, Math.min(size - MARGIN, value)) - value;
  return moved(camera, into(at, width), into(down, height));
}
