/** Ready-made histories, put together from the concepts' exemplars. */
import { capitalise } from "./words.js";

const GROUPS = [2, 2, 3];
const EXEMPLARS = [0, 3, 3, 2]; // by the number of concepts in the group

/** @returns {{title: string, concepts: object[], items: object[]}[]} at most four, the largest concepts first. */
export function composeExamples(concepts) {
  const largest = concepts.filter(({ exemplars }) => exemplars.length).sort((a, b) => b.size - a.size);
  const groups = [];
  let taken = 0;
  for (const wanted of GROUPS) {
    const group = largest.slice(taken, taken + wanted);
    if (group.length) groups.push(group);
    taken += wanted;
  }
  const examples = groups.map((group) => compose(nameOf(group), group, EXEMPLARS[group.length]));
  if (largest.length > 3) examples.push(compose("A little of everything", largest.slice(0, 6), 1));
  return examples;
}

function compose(title, concepts, each) {
  return { title, concepts, items: concepts.flatMap(({ exemplars }) => exemplars.slice(0, each)) };
}

/** "Bags, lamps and mugs" */
function nameOf(concepts) {
  const labels = concepts.map(({ label }) => label);
  const [first, last] = [labels.slice(0, -1), labels.at(-1)];
  return capitalise(first.length ? `${first.join(", ")} and ${last}` : last);
}
