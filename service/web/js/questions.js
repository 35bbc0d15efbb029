/** This set or that set: which question comes next, and the history that the answers make. */

const PAIRS = 3;
const MOST = 5;

/**
 * @param {object[]} choices of `GET /choices`: pairs of concepts first, then a dimension of each concept.
 * @param {{choice: object, side: number|null}[]} answers so far; a side of null is neither.
 * @returns {object[]} the questions that are left, the next one first: after the pairs, what is liked is asked about further.
 */
export function questionsLeft(choices, answers) {
  const asked = new Set(answers.map(({ choice }) => choice));
  const pairs = choices.filter(({ dim }) => dim === null).slice(0, PAIRS);
  const liked = answers.filter(({ choice, side }) => choice.dim === null && side !== null).map(chosen);
  const further = liked.map(({ concept }) => choices.find(({ dim, sides }) => dim !== null && sides[0].concept === concept));
  const wanted = [...pairs, ...further.filter(Boolean)].slice(0, MOST);
  return wanted.filter((choice) => !asked.has(choice));
}

/** The items of every side that was chosen. */
export function historyOf(answers) {
  const items = answers.filter(({ side }) => side !== null).flatMap((answer) => chosen(answer).items);
  return [...new Set(items.map(({ item_id }) => item_id))];
}

const chosen = ({ choice, side }) => choice.sides[side];
