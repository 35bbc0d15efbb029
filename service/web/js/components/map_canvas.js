/** The points of the map, and over them what has a name: prototypes, components, clicks, a walk, the lasso. */
import { useEffect, useRef } from "../../vendor/hooks.js";
import { effect } from "../../vendor/signals.js";
import { path } from "../data.js";
import { framesOf } from "../frames.js";
import { html } from "../html.js";
import { gestures } from "../map/gestures.js";
import { BLEED, drawPoints, radius } from "../map/raster.js";
import { approach, camera, catchInside, caught, itemAt, lassoing, line, pan, pinned, point, pointed } from "../map/state.js";
import { showAll, size, step, whole, zoom, zoomIn, zoomOut } from "../map/state.js";
import { openItem, toggleInHistory } from "../navigation.js";
import { spotlight } from "../state.js";
import { dark } from "../theme.js";
import { number } from "../words.js";
import { MapOverlay } from "./map_overlay.js";
import { MapTip } from "./map_tip.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const hand = {
  pan,
  zoom,
  hover: (x, y) => pinned.peek() || point(itemAt(x, y)),
  leave: () => pinned.peek() || point(-1),
  press: (x, y) => point(itemAt(x, y), true),
  draw: (drawn) => (line.value = drawn),
  drawn: catchInside,
  isDrawing: (event) => lassoing.peek() || event.shiftKey,
};
const handlers = gestures(hand);

export function MapCanvas({ data, busy }) {
  const [frame, canvas] = [useRef(null), useRef(null)];
  useEffect(() => watchSize(frame.current), []);
  useEffect(() => keepDrawn(canvas.current, data), [data]);
  useEffect(() => {
    const wheel = handlers.onWheel; // a listener that may stop the page from scrolling must say so
    frame.current.addEventListener("wheel", wheel, { passive: false });
    return () => frame.current?.removeEventListener("wheel", wheel);
  }, []);
  const walk = path.state.value.data;
  useEffect(() => {
    if (walk) approach(framesOf(walk).map(({ item }) => data.places.get(item.item_id)));
  }, [walk, data, size.value.width > 0]);
  const { onWheel, ...pointers } = handlers;
  return html`<div class="map-frame" aria-busy=${busy}>
    <div
      class="map-window"
      ref=${frame}
      tabindex="0"
      role="application"
      aria-label=${`Map of ${number(data.ids.length)} items`}
      aria-describedby="map-keys"
      data-lassoing=${lassoing.value}
      data-pointing=${pointed.value >= 0}
      onKeyDown=${(event) => press(event, data)}
      ...${pointers}
    >
      <canvas class="map-points" ref=${canvas} aria-hidden="true"></canvas>
      <${MapOverlay} data=${data} />
    </div>
    <p id="map-keys" class="visually-hidden">
      Arrow keys go from item to item, Enter looks closer, Space adds to your history, plus and minus zoom, 0 shows everything.
    </p>
    <${MapTip} data=${data} />
  </div>`;
}

function press(event, data) {
  const item = data.ids[pointed.peek()];
  const keys = {
    "+": zoomIn,
    "=": zoomIn,
    "-": zoomOut,
    0: showAll,
    Enter: () => item && openItem(item),
    " ": () => item && toggleInHistory(item),
  };
  const act = event.key in ARROWS ? () => step(...ARROWS[event.key]) : keys[event.key];
  if (!act || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  act();
}

function watchSize(element) {
  const watcher = new ResizeObserver(([{ contentRect }]) => {
    size.value = { width: contentRect.width, height: contentRect.height };
  });
  watcher.observe(element);
  return () => watcher.disconnect();
}

/** Draws once for a frame, however much has changed. */
function keepDrawn(canvas, data) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // all its pixels come from here
  let frame = 0;
  const stop = effect(() => {
    const seen = [size.value, camera.value, look(data)];
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => paint(canvas, context, data, ...seen));
  });
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

/** What stands out: what the lasso caught, or the concept in the spotlight. */
function look(data) {
  const [concept, chosen] = [spotlight.value, caught.value];
  const among = chosen.length ? new Set(chosen) : null;
  const isLit = among ? (item) => among.has(item) : concept === null ? null : (item) => data.concepts[item] === concept;
  return { isLit, dark: dark.value };
}

function paint(canvas, context, data, { width, height }, view, { isLit }) {
  if (!width || !height) return;
  const density = Math.min(2, window.devicePixelRatio || 1);
  const [wide, high] = [Math.round((width + 2 * BLEED) * density), Math.round((height + 2 * BLEED) * density)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const half = radius(data.ids.length, whole.peek().scale, view.scale);
  drawPoints(context, data, view, { density, half, isLit, ...palette(data.prototypes.length) });
}

/** The colours of the style sheet as numbers: read anew for every theme. */
let palettes = {};

function palette(concepts) {
  const key = `${dark.peek()} ${concepts}`;
  palettes[key] ??= {
    colours: Array.from({ length: concepts }, (_, concept) => computedColour(`var(--concept-${concept % 20})`)),
    paper: computedColour("var(--paper)"),
  };
  return palettes[key];
}

function computedColour(colour) {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = colour;
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  return [red, green, blue];
}
