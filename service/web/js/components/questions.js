/** A start without words: a handful of choices between two small sets of items. */
import { useRef, useState } from "../../vendor/hooks.js";
import { conceptStyle } from "../colours.js";
import { choices, conceptLabel } from "../data.js";
import { html } from "../html.js";
import { startFrom } from "../navigation.js";
import { historyOf, questionsLeft } from "../questions.js";
import { capitalise } from "../words.js";
import { ConceptMark } from "./concept_mark.js";
import { Icon } from "./icon.js";
import { Picture } from "./picture.js";

export function Questions() {
  const [answers, setAnswers] = useState([]);
  const title = useRef(null);
  const all = choices.state.value.data?.choices ?? [];
  const [question, ...later] = questionsLeft(all, answers);
  if (!all.length) return null;
  const history = historyOf(answers);
  const answer = (side) => {
    const next = [...answers, { choice: question, side }];
    if (!questionsLeft(all, next).length && historyOf(next).length) return startFrom(historyOf(next));
    setAnswers(next);
    title.current.focus();
    return undefined;
  };
  return html`<section class="section questions" aria-labelledby="questions-title">
    <div class="questions-head">
      <h2 id="questions-title" class="section-title" tabindex="-1" ref=${title}>
        ${question ? "This or that?" : "Nothing of that?"}
        <small aria-live="polite">${question ? progress(answers, later, question) : "Then search, or click something below."}</small>
      </h2>
      ${answers.length > 0 &&
      html`<button class="button button-quiet" onClick=${() => setAnswers(answers.slice(0, -1))}><${Icon} name="undo" /> Back</button>`}
      ${question && html`<button class="button button-quiet" onClick=${() => answer(null)}>Neither</button>`}
      ${history.length > 0 &&
      html`<button class="button" onClick=${() => startFrom(history)}>See your list <${Icon} name="forward" /></button>`}
    </div>
    ${question &&
    html`<div class="question">
      <${Side} key=${`${answers.length} 0`} ...${question.sides[0]} choose=${() => answer(0)} />
      <span class="question-or" aria-hidden="true">or</span>
      <${Side} key=${`${answers.length} 1`} ...${question.sides[1]} choose=${() => answer(1)} />
    </div>`}
  </section>`;
}

/** After the pairs, every concept that was liked is asked about: the number is that of now. */
function progress(answers, later, { dim, sides }) {
  const about = dim === null ? "" : ` · ${conceptLabel(sides[0].concept)}`;
  return `question ${answers.length + 1} of ${answers.length + 1 + later.length}${about}`;
}

function Side({ label, concept, items, choose }) {
  return html`<button class="question-side" style=${conceptStyle(concept)} onClick=${choose}>
    <span class="question-pictures">
      ${items.map((item) => html`<${Picture} key=${item.item_id} item=${item} eager=${true} />`)}
    </span>
    <span class="question-label"><${ConceptMark} concept=${concept} />${capitalise(label ?? "These")}</span>
  </button>`;
}
