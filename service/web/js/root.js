/** What the style sheets must know of the whole page, as attributes of its root: a selector that looks for it costs with every change. */
import { effect } from "../vendor/signals.js";
import { sheet, view } from "./state.js";

export function reflectState() {
  const root = document.documentElement;
  effect(() => (root.dataset.view = view.value));
  effect(() => (root.dataset.sheet = sheet.value && view.value === "list"));
}
