/** The map of all items: alike ones lie near each other. Move it, point at it, draw around some of it. */
import { useEffect } from "../../vendor/hooks.js";
import { chart } from "../data.js";
import { html } from "../html.js";
import { caught, forgetAll, lassoing, catchAllInSight, pinned, point, showAll, zoomIn, zoomOut } from "../map/state.js";
import { number } from "../words.js";
import { Failure } from "./failure.js";
import { Icon } from "./icon.js";
import { MapCanvas } from "./map_canvas.js";
import { MapCatch } from "./map_catch.js";
import { MapLegend } from "./map_legend.js";
import { Tray } from "./tray.js";

const NO_MAP = 404;

export function MapView() {
  const { data, error, status } = chart.state.value;
  useEffect(forgetAll, [data?.version]);
  return html`<main id="main" class="map-view" tabindex="-1" onKeyDown=${leave}>
      <h1 class="visually-hidden">The map of all items</h1>
      ${error && html`<div class="map-message"><${MapFailure} error=${error} /></div>`}
      ${!data && !error && html`<div class="map-loading skeleton" role="status" aria-label="Loading the map"></div>`}
      ${data && html`<${MapCanvas} data=${data} busy=${status === "loading"} />`}
      ${data && html`<${MapLegend} data=${data} />`}
      ${data && html`<${Tools} />`}
      ${data && html`<p class="map-note">${describe(data)}</p>`}
      ${data && caught.value.length > 0 && html`<${MapCatch} data=${data} items=${caught.value} />`}
    </main>
    <${Tray} />`;
}

/** Escape lets go of one thing after another. */
function leave(event) {
  if (event.key !== "Escape") return;
  if (lassoing.value) lassoing.value = false;
  else if (pinned.value) point(-1);
  else caught.value = [];
}

function MapFailure({ error }) {
  if (error.status !== NO_MAP) return html`<${Failure} error=${error} retry=${chart.retry} />`;
  return html`<div class="message">
    <h3>This model has no map</h3>
    <p>It was made before there were maps. Train it again, and its items will lie here, alike beside alike.</p>
  </div>`;
}

function describe({ ids, total }) {
  const shown = ids.length < total ? `${number(ids.length)} of ${number(total)} things` : `${number(total)} things`;
  return `${shown}; the nearer, the more alike. The axes mean nothing.`;
}

function Tools() {
  return html`<div class="map-tools" role="group" aria-label="The map">
    <${Tool} name="add" label="Nearer" onClick=${zoomIn} />
    <${Tool} name="less" label="Farther" onClick=${zoomOut} />
    <${Tool} name="whole" label="Show everything" onClick=${showAll} />
    <${Tool} name="lasso" label="Draw around things" pressed=${lassoing.value} onClick=${() => (lassoing.value = !lassoing.value)} />
    <${Tool} name="select" label="Choose all in sight" onClick=${catchAllInSight} />
  </div>`;
}

function Tool({ name, label, pressed, onClick }) {
  return html`<button class="tool" aria-label=${label} title=${label} aria-pressed=${pressed} onClick=${onClick}>
    <${Icon} name=${name} />
  </button>`;
}
