/** Asks for a key. Without one there is nothing to show, so it stays until one is given that the service knows. */
import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { knowsKey } from "../api.js";
import { html } from "../html.js";
import { asking, takeKey } from "../key.js";

const PRINTABLE = /^[\x21-\x7e]+$/; // what can stand in a header
const UNKNOWN = "The service does not know this key. Check that all of it was pasted.";

export function KeyDialog() {
  return asking.value && html`<${Dialog} why=${asking.value} />`;
}

function Dialog({ why }) {
  const dialog = useRef(null);
  const open = () => dialog.current?.showModal();
  useEffect(open, []);
  return html`<dialog
    class="key"
    ref=${dialog}
    aria-labelledby="key-title"
    onCancel=${(event) => event.preventDefault()}
    onClose=${open}
  >
    <${Form} why=${why} />
  </dialog>`;
}

function Form({ why }) {
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const wrong = await faultOf(field.current.value.trim());
    setBusy(false);
    setFault(wrong);
    if (wrong) field.current.focus();
    else takeKey(field.current.value.trim());
  }
  return html`<form onSubmit=${submit} aria-busy=${busy}>
    <h2 id="key-title">A key, please</h2>
    <p>
      ${why === "refused" ? "The key in use is no longer known. " : ""}Whoever runs this service can give you one. It stays in this
      tab and is forgotten when you close it.
    </p>
    <label for="key-field">Key</label>
    <input
      id="key-field"
      ref=${field}
      type="password"
      autocomplete="off"
      spellcheck="false"
      required
      autofocus
      aria-invalid=${fault ? "true" : undefined}
      aria-describedby=${fault ? "key-fault" : undefined}
      onInput=${() => setFault("")}
    />
    ${fault && html`<p id="key-fault" class="key-fault" role="alert">${fault}</p>`}
    <button class="button button-main">Use this key</button>
  </form>`;
}

async function faultOf(text) {
  if (!PRINTABLE.test(text)) return UNKNOWN;
  try {
    return (await knowsKey(text)) ? "" : UNKNOWN;
  } catch (problem) {
    return `${problem.title}. ${problem.detail}`;
  }
}
