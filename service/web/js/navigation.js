/** Every way to change the visitor's choice: sets the signals and writes the address, so that Back undoes a step. */
import { batch } from "../vendor/signals.js";
import { modelVersion } from "./api.js";
import { amount, depth, dropped, future, history, introduced, linkedModel, opened, PAGE, past, pins, query } from "./state.js";
import { settled, sliding, spotlight, steeredFor, steering, trail, view } from "./state.js";
import { UNSTEERED } from "./steering.js";
import { formatFragment, parseFragment } from "./url.js";

export function toggleInHistory(itemId) {
  const ids = history.peek();
  changeHistory(ids.includes(itemId) ? ids.filter((id) => id !== itemId) : [...ids, itemId]);
}

/** Another history altogether: what was turned for the last one means nothing for it. */
export function startFrom(itemIds) {
  forgetSteering();
  changeHistory(itemIds, "list");
  window.scrollTo(0, 0);
}

export function clearHistory() {
  forgetSteering();
  changeHistory([]);
}

export function show(nextView) {
  batch(() => {
    view.value = nextView;
    introduced.value = history.peek().length === 0;
    query.value = "";
  });
  writeAddress("push");
  window.scrollTo(0, 0);
}

export function openItem(itemId, dim = null) {
  if (opened.peek()?.itemId === itemId) return;
  batch(() => {
    depth.value = opened.peek() ? depth.peek() + 1 : 0;
    opened.value = { itemId, dim };
  });
  writeAddress("push");
}

export function chooseDimension(dim) {
  opened.value = { ...opened.peek(), dim };
  writeAddress("replace");
}

export function closeItem() {
  if (!opened.peek()) return;
  opened.value = null;
  writeAddress("push");
}

export function goBack() {
  window.history.back();
}

/** Takes over the address the page was opened with, and follows Back and Forward from then on. */
export function followAddress() {
  const read = (event) => apply(parseFragment(location.hash), event?.state?.depth ?? 0);
  read();
  window.addEventListener("popstate", read);
}

/** Several items at once, as one step. */
export function addToHistory(itemIds) {
  changeHistory([...new Set([...history.peek(), ...itemIds])]);
}

/** The map, with a walk drawn on it. */
export function showOnMap(itemId, dim) {
  batch(() => {
    opened.value = null;
    trail.value = { itemId, dim };
  });
  show("map");
}

/** A pinned card stays first and open; it says nothing of the list, so undo does not know it. */
export function togglePin(concept) {
  const held = pins.peek();
  pins.value = held.includes(concept) ? held.filter((other) => other !== concept) : [...held, concept];
  writeAddress("replace");
}

export function forgetTrail() {
  trail.value = null;
  writeAddress("replace");
}

/** A list cannot outlive its history: without one the visitor is back at finding. */
function changeHistory(ids, nextView = view.peek()) {
  batch(() => {
    history.value = ids;
    view.value = ids.length || nextView === "map" ? nextView : "find";
    if (!ids.length && nextView === "list") introduced.value = true;
    linkedModel.value = null;
    dropped.value = false;
    spotlight.value = null;
    amount.value = PAGE;
    if (!ids.length) forgetSteering();
  });
  writeAddress("push");
}

function apply(place, nextDepth) {
  batch(() => {
    history.value = place.history;
    view.value = place.view;
    introduced.value = place.history.length === 0;
    opened.value = place.opened;
    depth.value = nextDepth;
    if (place.view === "map") trail.value = place.trail;
    linkedModel.value = place.model;
    dropped.value = false;
    pins.value = place.pins;
    takeOver(place.steering, place.model);
    query.value = "";
    spotlight.value = null;
    amount.value = PAGE;
  });
}

function forgetSteering() {
  pins.value = [];
  takeOver(UNSTEERED, null);
  past.value = future.value = [];
}

function takeOver(nextSteering, model) {
  batch(() => {
    steering.value = settled.value = nextSteering;
    steeredFor.value = model;
    sliding.value = false;
  });
}

/** @param {"push"|"replace"} how whether Back leads here. */
export function writeAddress(how) {
  const model = (dropped.peek() ? null : linkedModel.peek()) ?? modelVersion.peek();
  const chosen = { history: history.peek(), view: view.peek(), opened: opened.peek(), steering: settled.peek() };
  const fragment = formatFragment({ ...chosen, model, trail: trail.peek(), pins: pins.peek() });
  const state = { depth: depth.peek() };
  const address = location.pathname + location.search + (fragment === "#" ? "" : fragment);
  if (how === "push") window.history.pushState(state, "", address);
  else window.history.replaceState(state, "", address);
}
