/** What the page has loaded for the visitor's choice, and the effects that keep the two together. */
import { computed, effect } from "../vendor/signals.js";
import { findItems, getConcept, getConcepts, getItem, getSimilar, getVersion, getWalk } from "./api.js";
import { modelVersion, recommend } from "./api.js";
import { knownItems, learn, remember } from "./catalogue.js";
import { firstOffer } from "./dimensions.js";
import { createResource } from "./resource.js";
import { findSpecimens } from "./specimens.js";
import { amount, history, introduced, opened, query, view } from "./state.js";

const POPULAR = 12;
const SIMILAR = 8;

export const concepts = createResource(async (abort) => {
  const answer = await getConcepts(abort);
  remember(answer.concepts.flatMap(({ exemplars }) => exemplars));
  return answer;
});
export const popular = createResource((abort) => remembered(findItems(abort, "", POPULAR)));
export const found = createResource((abort, q, limit) => remembered(findItems(abort, q, limit)), { delay: 160 });
export const recommendation = createResource((abort, ids, n) => remembered(recommend(abort, ids, n)), { delay: 40 });
export const historyItems = createResource(learn);
export const item = createResource(async (abort, itemId) => {
  const answer = await getItem(abort, itemId);
  remember([answer]);
  return answer;
});
export const concept = createResource(getConcept);
export const similar = createResource((abort, itemId) => remembered(getSimilar(abort, itemId, SIMILAR)));
export const walk = createResource(async (abort, itemId, dim) => {
  const answer = await getWalk(abort, itemId, dim);
  remember(answer.steps.map((step) => step.item));
  return answer;
});
export const specimens = createResource(findSpecimens);
export const version = createResource(getVersion);

/** Concepts by their index; empty until they are loaded. */
export const conceptList = computed(() => concepts.state.value.data?.concepts ?? []);

export const conceptLabel = (concept) => conceptList.value[concept]?.label ?? `Concept ${concept}`;

const openedId = computed(() => opened.value?.itemId ?? null);

/** The open item with everything known of it, or null while it loads. */
export const openedItem = computed(() => {
  const detail = item.state.value.data;
  return detail?.item_id === openedId.value ? detail : null;
});

/** The open item's concept; an item that was listed somewhere need not be loaded first. */
const openedConcept = computed(() => (openedItem.value ?? knownItems.value.get(openedId.value))?.concept ?? null);

/** All dimensions of the open item's concept, most important first, or null while they load. */
export const openedDimensions = computed(() => {
  const detail = concept.state.value.data;
  return detail && detail.concept === openedConcept.value ? detail.dimensions : null;
});

/** The dimension the open item is walked along: the chosen one, or the first that is offered. */
export const walkedDimension = computed(() => {
  if (!opened.value) return null;
  return opened.value.dim ?? (openedDimensions.value && firstOffer(openedDimensions.value)[0]?.dim) ?? null;
});

/** Starts loading, now and whenever the choice changes. */
export function keepLoaded() {
  effect(() => {
    if (history.value.length) recommendation.request(history.value, amount.value);
    else recommendation.reset();
  });
  effect(() => {
    const { status, data } = recommendation.state.value;
    if (status === "ready") historyItems.request(history.peek().filter((id) => !data.unknown_items.includes(id)));
  });
  effect(() => {
    if (openedId.value === null) [item, similar].forEach((resource) => resource.reset());
    else [item, similar].forEach((resource) => resource.request(openedId.value));
  });
  effect(() => {
    const wanted = openedConcept.value;
    if (wanted !== null && concept.state.peek().data?.concept !== wanted) concept.request(wanted);
  });
  effect(() => {
    if (walkedDimension.value === null) walk.reset();
    else walk.request(openedId.value, walkedDimension.value);
  });
  effect(() => {
    const { status, data } = concepts.state.value;
    const replaced = status === "ready" && modelVersion.value !== data.model_version; // another model, other concepts
    if (status === "idle" || replaced) concepts.request();
  });
  effect(() => {
    if (view.value === "find" && popular.state.peek().status === "idle") popular.request();
  });
  effect(() => {
    const wanted = introduced.value && conceptList.value.length > 0;
    if (wanted && specimens.state.peek().status === "idle") specimens.request(conceptList.value);
  });
}

export function searchFor(text, limit) {
  query.value = text;
  if (text.trim()) found.request(text.trim(), limit);
  else found.reset();
}

async function remembered(promise) {
  const answer = await promise;
  remember(answer.items);
  return answer;
}
