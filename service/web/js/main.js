/** Starts the page: take over the address, keep the data loaded, draw. */
import { render } from "../vendor/preact.js";
import { App } from "./components/app.js";
import { keepLoaded } from "./data.js";
import { focusOnSlash } from "./focus.js";
import { html } from "./html.js";
import { followAddress } from "./navigation.js";
import { reflectState } from "./root.js";

followAddress();
keepLoaded();
focusOnSlash("#search");
reflectState();
render(html`<${App} />`, document.getElementById("page"));
