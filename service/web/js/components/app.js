/** The whole page. */
import { html } from "../html.js";
import { view } from "../state.js";
import { FindView } from "./find_view.js";
import { Header } from "./header.js";
import { ItemDrawer } from "./item_drawer.js";
import { KeyDialog } from "./key_dialog.js";
import { ListView } from "./list_view.js";
import { MapView } from "./map_view.js";
import { ModelChanged, Notices } from "./notices.js";
import { Operators } from "./operators.js";

const VIEWS = { find: FindView, list: ListView, map: MapView };

export function App() {
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Header} />
    <${ModelChanged} />
    <${VIEWS[view.value]} />
    <${Operators} />
    <${ItemDrawer} />
    <${KeyDialog} />
    <${Notices} />`;
}

/** The fragment belongs to the shareable address, so the link moves the focus instead of changing it. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}
