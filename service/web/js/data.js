/** What the page has loaded for the visitor's choice, and the effects that keep the two together. */
import { computed, effect } from "../vendor/signals.js";
import { findItems, getChoices, getConcept, getConcepts, getControls, getItem, getMap, getSimilar, getVersion, getWalk } from "./api.js";
import { modelVersion, placeOnMap, recommend } from "./api.js";
import { knownItems, learn, remember } from "./catalogue.js";
import { dropOutdated } from "./control.js";
import { firstOffer } from "./dimensions.js";
import { chartOf } from "./map/chart.js";
import { createResource } from "./resource.js";
import { findSpecimens } from "./specimens.js";
import { amount, history, introduced, opened, PAGE, query, settled, sliding, steeredFor, steering, trail, view } from "./state.js";
import { evidence, isSame, isSteered, requestFields } from "./steering.js";

const POPULAR = 12;
const SIMILAR = 8;
const STRIPS = 3;
const OTHER_MODEL = 409;

export const concepts = createResource(async (abort) => {
  const answer = await getConcepts(abort);
  remember(answer.concepts.flatMap(({ exemplars }) => exemplars));
  return answer;
});
export const popular = createResource((abort) => remembered(findItems(abort, "", POPULAR)));
export const found = createResource((abort, q, limit) => remembered(findItems(abort, q, limit)), { delay: 160 });
export const recommendation = createResource(listed, { delay: 10 });
/** The list once more, each item with its reasons: asked for when the list has settled. */
export const explanation = createResource((abort, ids, n, turned) => listed(abort, ids, n, turned, { explain: true }), {
  delay: 120,
});
/** The dimensions worth a slider, for every component. */
export const controls = createResource((abort, ids) => getControls(abort, ids, PAGE));
export const historyItems = createResource(learn);
export const item = createResource(async (abort, itemId) => {
  const answer = await getItem(abort, itemId);
  remember([answer]);
  return answer;
});
export const concept = createResource(getConcept);
export const similar = createResource((abort, itemId) => remembered(getSimilar(abort, itemId, SIMILAR)));
export const walk = createResource(walked);
/** The open item's walks along its concept's strongest dimensions. */
export const strips = createResource((abort, itemId, dims) => Promise.all(dims.map((dim) => walked(abort, itemId, dim))));
/** All items as points, and where the visitor's components lie among them. */
export const chart = createResource(async (abort) => chartOf(await getMap(abort)));
export const placed = createResource((abort, ids, { turns, liked, disliked }) => {
  const made = turns.length ? { adjust: turns, model_version: steeredFor.peek() } : {};
  return placeOnMap(abort, { history: ids, liked, disliked, ...made });
});
/** The walk that the map draws. */
export const path = createResource(walked);
/** Items pointed at on the map. */
export const pointedAt = createResource(learn, { delay: 40 });
export const caughtItems = createResource(learn);
export const choices = createResource(async (abort) => {
  const answer = await getChoices(abort);
  remember(answer.choices.flatMap(({ sides }) => sides.flatMap(({ items }) => items)));
  return answer;
});
export const specimens = createResource(findSpecimens);
export const version = createResource(getVersion);

/** Concepts by their index; empty until they are loaded. */
export const conceptList = computed(() => concepts.state.value.data?.concepts ?? []);

export const conceptLabel = (concept) => conceptList.value[concept]?.label ?? `Concept ${concept}`;

/** The answer that is shown: unlike the resource's state it does not change while a newer one is on its way. */
export const shownAnswer = computed(() => recommendation.state.value.data);

/** The components of that answer: the very same object while they are the same, so that a slider draws only the list. */
let tasteBefore = null;
export const shownTaste = computed(() => {
  const answer = shownAnswer.value;
  const taste = answer && { components: answer.components, fallback: answer.fallback, unknown: answer.unknown_items.length };
  if (!isSame(taste, tasteBefore)) tasteBefore = taste;
  return tasteBefore;
});

/** The components' controls by concept; empty until they are loaded. */
export const controlsOf = (concept) =>
  controls.state.value.data?.components.find((component) => component.concept === concept)?.dimensions ?? [];

/** Reasons by item id, of the list that was settled last. */
export const reasons = computed(() => {
  const items = explanation.state.value.data?.items ?? [];
  return new Map(items.filter(({ why }) => why).map(({ item_id, why }) => [item_id, why]));
});

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

/** Which evidence of which model the controls were last asked for. */
let controlled = null;

/** Starts loading, now and whenever the choice changes. */
export function keepLoaded() {
  keepMapLoaded();
  effect(() => {
    const asked = [history.value, amount.value, steering.value];
    if (!history.value.length) recommendation.reset();
    else if (sliding.peek()) recommendation.follow(...asked);
    else recommendation.request(...asked);
  });
  effect(() => {
    const { status, data } = recommendation.state.value;
    const settled = status === "ready" && !sliding.value && view.value === "list" && !data.fallback;
    if (settled) explanation.request(history.peek(), amount.peek(), steering.peek());
  });
  effect(() => {
    const { status, data } = recommendation.state.value;
    if (status !== "ready" || view.value !== "list" || data.fallback) return;
    const spoken = evidence(history.peek(), steering.peek());
    const wanted = `${data.model_version} ${spoken.join("\n")}`;
    if (wanted !== controlled) controls.request(spoken);
    controlled = wanted;
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
    if (openedId.value === null || !openedDimensions.value) strips.reset();
    else strips.request(openedId.value, firstOffer(openedDimensions.value).slice(0, STRIPS).map(({ dim }) => dim));
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
    if (wanted && choices.state.peek().data?.model_version !== modelVersion.peek()) choices.request();
  });
}

/** What the map shows is loaded when it is looked at. */
function keepMapLoaded() {
  const shown = computed(() => view.value === "map");
  effect(() => {
    const { status, data } = walk.state.value;
    if (status === "ready" && data.steps.length) trail.value = { itemId: data.item.item_id, dim: data.dim };
  });
  effect(() => {
    if (!shown.value || !trail.value) path.reset();
    else path.request(trail.value.itemId, trail.value.dim);
  });
  effect(() => {
    if (!shown.value || !history.value.length) placed.reset();
    else placed.request(history.value, settled.value);
  });
  effect(() => {
    const { status, data } = chart.state.value;
    const replaced = status === "ready" && modelVersion.value !== data.version;
    if (shown.value && (status === "idle" || replaced)) chart.request();
  });
}

async function walked(abort, itemId, dim) {
  const answer = await getWalk(abort, itemId, dim);
  remember(answer.steps.map((step) => step.item));
  return answer;
}

export function searchFor(text, limit) {
  query.value = text;
  if (text.trim()) found.request(text.trim(), limit);
  else found.reset();
}

/** A steering is sent with the model it was made for, since concepts and dimensions mean other things to another. */
async function listed(abort, ids, n, turned, fields = {}) {
  const made = isSteered(turned) ? { ...requestFields(turned), model_version: steeredFor.peek() } : {};
  try {
    const answer = await remembered(recommend(abort, ids, n, { ...made, ...fields }));
    return { ...answer, items: marked(answer) };
  } catch (error) {
    if (error.status === OTHER_MODEL && !abort.aborted) dropOutdated(); // which asks again, without it
    throw error;
  }
}

/** The items of a steered list, each with whether it entered the list; of any other, as they are. */
function marked({ items, steering: applied }) {
  if (!applied) return items;
  const entered = new Set(applied.entered);
  return items.map((item) => ({ ...item, entered: entered.has(item.item_id) }));
}

async function remembered(promise) {
  const answer = await promise;
  remember(answer.items);
  return answer;
}
