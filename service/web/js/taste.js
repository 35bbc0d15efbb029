/** Reading a user's components: which are strong, and which have nothing behind them. */

/** A component with less than half of an even share has no evidence worth the name. */
export function hasEvidence(component, components) {
  return component.share >= 0.5 / components.length;
}

export function evident(components) {
  return components.filter((component) => hasEvidence(component, components));
}

export function strongestFirst(components) {
  return [...components].sort((a, b) => b.share - a.share || a.concept - b.concept);
}
