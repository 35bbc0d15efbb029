/** For operators: which model answers, how fast, and every call the page made as a curl command. */
import { useState } from "../../vendor/hooks.js";
import { modelVersion } from "../api.js";
import { asCurl, calls } from "../calls.js";
import { recommendation, version } from "../data.js";
import { flatten } from "../facts.js";
import { html } from "../html.js";
import { forgetKey, key } from "../key.js";
import { copy } from "../sharing.js";
import { Failure } from "./failure.js";

export function Operators() {
  const [shown, setShown] = useState(false);
  const toggle = () => {
    if (!shown) version.request();
    setShown(!shown);
  };
  return html`<footer class="footer">
    <div class="footer-line">
      <span>Model <code>${modelVersion.value ?? "…"}</code></span>
      ${calls.value[0] && html`<span><code>${nameOf(calls.value[0])}</code> ${timeOf(calls.value[0])}</span>`}
      ${key.value && html`<button class="button button-quiet" onClick=${forgetKey}>Forget the key</button>`}
      <button
        class="button button-quiet"
        aria-expanded=${shown}
        aria-controls="operators"
        onClick=${toggle}
      >
        For operators
      </button>
    </div>
    <div id="operators" class="operators" hidden=${!shown}>${shown && html`<${Panel} />`}</div>
  </footer>`;
}

function Panel() {
  const [chosen, setChosen] = useState(null);
  const call = chosen ?? calls.value.find(({ url }) => !url.endsWith("/version")); // which this panel itself asks for
  const command = call ? asCurl(call) : "";
  return html`<section aria-labelledby="calls-title">
      <h2 id="calls-title">What the page asked</h2>
      <ul class="calls">
        ${calls.value.map(
          (made) => html`<li key=${made.number}>
            <button aria-pressed=${made === call} onClick=${() => setChosen(made)}>
              <code>${nameOf(made)}</code><span>${made.status}</span><span>${timeOf(made)}</span>
            </button>
          </li>`,
        )}
      </ul>
      <pre class="command" tabindex="0">${command}</pre>
      <button class="button" onClick=${() => copy(command, "The command is copied.")}>Copy the command</button>
    </section>
    <section aria-labelledby="model-title">
      <h2 id="model-title">What answers</h2>
      <${Version} />
    </section>`;
}

function Version() {
  const { status, data, error } = version.state.value;
  if (status === "failed") return html`<${Failure} error=${error} retry=${version.retry} />`;
  const ranking = recommendation.state.value.data?.ranking;
  return html`<dl class="facts">
    ${ranking && html`<div><dt>last ranking</dt><dd>${describe(ranking)}</dd></div>`}
    ${flatten(data ?? {}).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

const describe = ({ ranker, certified }) => `${ranker}, ${certified ? "certified exact" : "not certified"}`;

function nameOf({ method, url }) {
  const { pathname, search } = new URL(url);
  return `${method} ${decodeURIComponent(pathname)}${search}`;
}

const timeOf = ({ milliseconds }) => `${Math.round(milliseconds)} ms`;
