/** Every way to change the visitor's choice: sets the signals and writes the address, so that Back undoes a step. */
import { batch } from "../vendor/signals.js";
import { modelVersion } from "./api.js";
import { amount, depth, history, introduced, linkedModel, opened, PAGE, query, spotlight, view } from "./state.js";
import { formatFragment, parseFragment } from "./url.js";

export function toggleInHistory(itemId) {
  const ids = history.peek();
  changeHistory(ids.includes(itemId) ? ids.filter((id) => id !== itemId) : [...ids, itemId]);
}

export function startFrom(itemIds) {
  changeHistory(itemIds, "list");
  window.scrollTo(0, 0);
}

export function clearHistory() {
  changeHistory([]);
}

export function show(nextView) {
  batch(() => {
    view.value = nextView;
    introduced.value = history.peek().length === 0;
    query.value = "";
  });
  write("push");
  window.scrollTo(0, 0);
}

export function openItem(itemId, dim = null) {
  if (opened.peek()?.itemId === itemId) return;
  batch(() => {
    depth.value = opened.peek() ? depth.peek() + 1 : 0;
    opened.value = { itemId, dim };
  });
  write("push");
}

export function chooseDimension(dim) {
  opened.value = { ...opened.peek(), dim };
  write("replace");
}

export function closeItem() {
  if (!opened.peek()) return;
  opened.value = null;
  write("push");
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

/** A list cannot outlive its history: without one the visitor is back at finding. */
function changeHistory(ids, nextView = view.peek()) {
  batch(() => {
    history.value = ids;
    view.value = ids.length ? nextView : "find";
    if (!ids.length && nextView === "list") introduced.value = true;
    linkedModel.value = null;
    spotlight.value = null;
    amount.value = PAGE;
  });
  write("push");
}

function apply(place, nextDepth) {
  batch(() => {
    history.value = place.history;
    view.value = place.view;
    introduced.value = place.history.length === 0;
    opened.value = place.opened;
    depth.value = nextDepth;
    linkedModel.value = place.model;
    query.value = "";
    spotlight.value = null;
    amount.value = PAGE;
  });
}

function write(how) {
  const model = linkedModel.peek() ?? modelVersion.peek();
  const fragment = formatFragment({ history: history.peek(), view: view.peek(), opened: opened.peek(), model });
  const state = { depth: depth.peek() };
  const address = location.pathname + location.search + (fragment === "#" ? "" : fragment);
  if (how === "push") window.history.pushState(state, "", address);
  else window.history.replaceState(state, "", address);
}
