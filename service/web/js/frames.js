/**
 * A walk's frames: its steps, where the item it started from stands for the step it lies in. One that lies outside of the
 * range that is walked has a frame of its own before or after the others.
 */

/** @returns {{key: string|number, item: object, isStart: boolean}[]} low end first. */
export function framesOf(walk) {
  const others = walk.steps.filter(({ step }) => step !== walk.start.step);
  const steps = others.map(({ step, value, item }) => ({ key: step, value, item, isStart: false }));
  const start = { key: "start", value: walk.start.value, item: walk.item, isStart: true };
  return [...steps, start].sort((a, b) => a.value - b.value);
}
