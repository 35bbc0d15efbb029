/** A walk's frames: its steps, and the item it started from among them, in the place its own value gives it. */

/** @returns {{key: string|number, item: object, isStart: boolean}[]} low end first. */
export function framesOf(walk) {
  const steps = walk.steps.map(({ step, value, item }) => ({ key: step, value, item, isStart: false }));
  const start = { key: "start", value: walk.start.value, item: walk.item, isStart: true };
  return [...steps, start].sort((a, b) => a.value - b.value);
}
