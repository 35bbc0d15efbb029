/** The name, the two views, the search field, and the small tools. */
import { found, searchFor } from "../data.js";
import { html } from "../html.js";
import { show } from "../navigation.js";
import { shareAddress } from "../sharing.js";
import { history, query, view } from "../state.js";
import { dark, toggleTheme } from "../theme.js";
import { Icon } from "./icon.js";
import { RESULTS } from "./search_results.js";

export function Header() {
  return html`<header class="header">
    <a class="wordmark" href="#" onClick=${toStart}>
      <img class="wordmark-sign" src="web/sign.svg" alt="" width="26" height="26" />Macrid
    </a>
    <nav class="views" aria-label="Views">
      <${ViewLink} name="find">Find things<//>
      <${ViewLink} name="list">Your list<//>
      <${ViewLink} name="map">Map<//>
    </nav>
    <${SearchField} />
    <div class="tools">
      <button
        class="tool"
        onClick=${shareAddress}
        aria-label="Copy the link to this page"
        title="Copy the link"
      >
        <${Icon} name="link" />
      </button>
      <button
        class="tool"
        onClick=${toggleTheme}
        aria-label=${dark.value ? "Use light colours" : "Use dark colours"}
        title=${dark.value ? "Light" : "Dark"}
      >
        <${Icon} name=${dark.value ? "sun" : "moon"} />
      </button>
    </div>
  </header>`;
}

function toStart(event) {
  event.preventDefault();
  show("find");
}

function ViewLink({ name, children }) {
  const empty = name === "list" && history.value.length === 0;
  return html`<button
    class="view-link"
    aria-current=${view.value === name ? "page" : undefined}
    disabled=${empty}
    onClick=${() => show(name)}
  >
    ${children}
  </button>`;
}

function SearchField() {
  return html`<form class="search" role="search" onSubmit=${enterResults}>
    <${Icon} name="search" />
    <input
      id="search"
      type="search"
      placeholder="Search"
      aria-label="Search for items"
      autocomplete="off"
      spellcheck="false"
      maxlength="200"
      value=${query.value}
      onInput=${(event) => search(event.target.value)}
      onKeyDown=${(event) => event.key === "ArrowDown" && enterResults(event)}
    />
    <kbd aria-hidden="true">/</kbd>
  </form>`;
}

function search(text) {
  if (text && view.peek() !== "find") show("find");
  searchFor(text, RESULTS);
}

/** Enter and Down go on to the first result. */
function enterResults(event) {
  event.preventDefault();
  if (found.state.peek().data) document.querySelector("main .card-picture")?.focus();
}
