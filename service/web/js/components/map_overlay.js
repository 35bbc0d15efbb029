/** What has a name on the map, drawn over its points: they move with the map, but do not grow with it. */
import { conceptStyle } from "../colours.js";
import { path, placed } from "../data.js";
import { framesOf } from "../frames.js";
import { html } from "../html.js";
import { camera, line, pointed } from "../map/state.js";
import { toScreen } from "../map/camera.js";
import { evident } from "../taste.js";
import { capitalise, percent } from "../words.js";

const PIN = "M0 0C-4-9-17-15-17-29A17 17 0 0 1 17-29C17-15 4-9 0 0Z";
const STAR = "M0-9 2.6-3.1 9-2.5 4.2 1.7 5.6 8 0 4.7-5.6 8-4.2 1.7-9-2.5-2.6-3.1Z";

export function MapOverlay({ data }) {
  const view = camera.value;
  const at = (x, y) => toScreen(view, x, y);
  const user = placed.state.value.data;
  return html`<svg class="map-overlay" aria-hidden="true">
    ${data.prototypes.map((prototype) => html`<${Prototype} key=${prototype.concept} ...${prototype} at=${at} />`)}
    ${user?.clicks.map(({ item_id, x, y }) => html`<${Click} key=${item_id} at=${at(x, y)} concept=${data.concepts[data.places.get(item_id)]} />`)}
    ${user && evident(user.components).map((component) => html`<${OwnComponent} key=${component.concept} ...${component} at=${at} />`)}
    <${Walked} data=${data} at=${at} />
    ${pointed.value >= 0 && html`<${Ring} at=${at(data.xs[pointed.value], data.ys[pointed.value])} />`}
    ${line.value.length > 1 && html`<polygon class="map-lasso" points=${line.value.map((point) => point.join(",")).join(" ")} />`}
  </svg>`;
}

const shift = ([x, y]) => `translate(${x.toFixed(1)} ${y.toFixed(1)})`;

function Prototype({ concept, label, x, y, at }) {
  return html`<g class="map-star" style=${conceptStyle(concept)} transform=${shift(at(x, y))}>
    <path d=${STAR} />
    <text y="23">${capitalise(label)}</text>
  </g>`;
}

/** A pin whose point stands at the place, with the component's share in its head. */
function OwnComponent({ concept, share, x, y, at }) {
  return html`<g class="map-component" style=${conceptStyle(concept)} transform=${shift(at(x, y))}>
    <path d=${PIN} /><text y="-29" dy="0.36em">${percent(share).replace(" ", "")}</text>
  </g>`;
}

function Click({ at, concept }) {
  return html`<g class="map-click" style=${conceptStyle(concept)} transform=${shift(at)}><circle r="5.5" /></g>`;
}

function Ring({ at }) {
  return html`<circle class="map-ring" r="10" transform=${shift(at)} />`;
}

/** From the walk's low end to its high one, through those of its items that are on the map. */
function Walked({ data, at }) {
  const walk = path.state.value.data;
  if (!walk) return null;
  const frames = framesOf(walk)
    .map((frame) => ({ ...frame, place: data.places.get(frame.item.item_id) }))
    .filter(({ place }) => place !== undefined)
    .map((frame) => ({ ...frame, at: at(data.xs[frame.place], data.ys[frame.place]) }));
  if (!frames.length) return null;
  const [first, last] = [frames[0], frames.at(-1)];
  return html`<g class="map-walk">
    <path d=${smooth(frames.map((frame) => frame.at))} />
    ${frames.map(({ key, at: place, isStart }) => html`<circle key=${key} r=${isStart ? 6 : 4} data-start=${isStart} transform=${shift(place)} />`)}
    <text transform=${shift(first.at)} y="-12">${walk.low_label ?? "one end"}</text>
    <text transform=${shift(last.at)} y="-12">${walk.high_label ?? "other end"}</text>
  </g>`;
}

/** A line through all points without corners: Catmull and Rom's, as Bézier curves. */
function smooth(points) {
  const point = (at) => points[Math.max(0, Math.min(points.length - 1, at))];
  const curve = (_, at) => {
    const [a, b, c, d] = [point(at - 1), point(at), point(at + 1), point(at + 2)];
    const handle = (axis) => [b[axis] + (c[axis] - a[axis]) / 6, c[axis] - (d[axis] - b[axis]) / 6];
    const [x, y] = [handle(0), handle(1)];
    return `C${x[0]} ${y[0]} ${x[1]} ${y[1]} ${c[0]} ${c[1]}`;
  };
  return `M${points[0].join(" ")}${points.slice(0, -1).map(curve).join("")}`;
}
