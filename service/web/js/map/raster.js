/**
 * Draws the map's points, up to hundreds of thousands, into the pixels of a canvas: a stamp for each concept is copied to every
 * place. That takes milliseconds without a graphics card, where drawing 100,000 shapes one by one takes a tenth of a second.
 */
import { conceptShape } from "../colours.js";

/** Pixels around the window that are drawn too, so that a stamp at its edge needs no care. */
export const BLEED = 16;
const SMALLEST_SHAPE = 7; // pixels; below that every stamp is a disc
const FADED = 0.14;

/**
 * Half the width of a point in pixels: few points are large, and they grow as one comes nearer.
 * @param {number} count of points
 * @param {number} whole pixels of the map's side when all of it is seen
 * @param {number} scale pixels of its side now
 */
export function radius(count, whole, scale) {
  const far = Math.min(5, Math.max(0.9, (0.24 * whole) / Math.sqrt(count)));
  return Math.min(9, far * Math.max(1, scale / whole) ** 0.4);
}

/**
 * @param {CanvasRenderingContext2D} context of a canvas that reaches BLEED pixels beyond the window on every side.
 * @param {import("./chart.js").Chart} chart
 * @param {import("./camera.js").Camera} camera in pixels of the window
 * @param {{density: number, half: number, colours: number[][], paper: number[], isLit: ((item: number) => boolean)|null}} look
 *   `density` pixels of the canvas for one of the window; `half` the radius in pixels of the window; colours as [r, g, b];
 *   those that are not lit are faint, below the others.
 */
export function drawPoints(context, chart, camera, look) {
  const { width, height } = context.canvas;
  const image = imageOf(context);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(packed(...look.paper));
  const stamps = stampsOf(look, width);
  if (look.isLit) drawSome(pixels, chart, camera, look.density, stamps.faint, [width, height], (item) => !look.isLit(item));
  drawSome(pixels, chart, camera, look.density, stamps.full, [width, height], look.isLit);
  context.putImageData(image, 0, 0);
}

/** A canvas keeps its image while it keeps its size: fresh megabytes for every frame cost as much as the points. */
const images = new WeakMap();

function imageOf(context) {
  const { width, height } = context.canvas;
  const kept = images.get(context);
  if (kept?.width === width && kept.height === height) return kept;
  images.set(context, context.createImageData(width, height));
  return images.get(context);
}

/** The most popular are drawn last, on top. */
function drawSome(pixels, { xs, ys, concepts }, { scale, left, top }, density, stamps, [width, height], wanted) {
  const edge = Math.ceil(BLEED * density);
  const [sx, sy] = [scale * density, scale * density];
  const [ox, oy] = [(left + BLEED) * density, (top + BLEED) * density];
  for (let item = xs.length - 1; item >= 0; item--) {
    const [x, y] = [(xs[item] * sx + ox) | 0, (ys[item] * sy + oy) | 0];
    if (x < edge >> 1 || y < edge >> 1 || x >= width - (edge >> 1) || y >= height - (edge >> 1)) continue;
    if (wanted && !wanted(item)) continue;
    press(pixels, stamps[concepts[item] % stamps.length], y * width + x);
  }
}

function press(pixels, { offsets, covers, red, green, blue, whole }, at) {
  for (let one = 0; one < offsets.length; one++) {
    const cover = covers[one];
    const place = at + offsets[one];
    if (cover === 255) pixels[place] = whole;
    else {
      const under = pixels[place];
      const [r, g, b] = [under & 255, (under >> 8) & 255, (under >> 16) & 255];
      pixels[place] =
        (0xff000000 |
          ((b + (((blue - b) * cover) >> 8)) << 16) |
          ((g + (((green - g) * cover) >> 8)) << 8) |
          (r + (((red - r) * cover) >> 8))) >>>
        0;
    }
  }
}

const packed = (red, green, blue) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

function stampsOf({ colours, half, density }, width) {
  const size = Math.max(2, Math.round(2 * half * density));
  const stamp = (strength) => (colour, concept) => inked(shapeOf(concept, size), width, colour, strength);
  return { full: colours.map(stamp(1)), faint: colours.map(stamp(FADED)) };
}

function inked({ cells }, width, [red, green, blue], strength) {
  const offsets = Int32Array.from(cells, ({ dx, dy }) => dy * width + dx);
  const covers = Uint8Array.from(cells, ({ cover }) => Math.round(cover * strength));
  return { offsets, covers, red, green, blue, whole: packed(red, green, blue) };
}

const shapes = new Map();

/** Which pixels a concept's mark covers at a size, and how far. */
function shapeOf(concept, size) {
  const path = size < SMALLEST_SHAPE ? conceptShape(0) : conceptShape(concept);
  const name = `${size} ${path}`;
  if (!shapes.has(name)) shapes.set(name, measured(path, size));
  return shapes.get(name);
}

function measured(path, size) {
  const side = size + 2;
  const context = new OffscreenCanvas(side, side).getContext("2d");
  context.setTransform(size / 12, 0, 0, size / 12, 1, 1);
  context.fill(new Path2D(path), "evenodd");
  const { data } = context.getImageData(0, 0, side, side);
  const cells = Array.from({ length: side * side }, (_, at) => ({
    dx: (at % side) - (side >> 1),
    dy: Math.floor(at / side) - (side >> 1),
    cover: data[4 * at + 3],
  }));
  return { cells: cells.filter(({ cover }) => cover > 0) };
}
