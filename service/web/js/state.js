/** What the visitor has chosen. Everything else on the page follows from these signals. */
import { signal } from "../vendor/signals.js";
import { UNSTEERED } from "./steering.js";

/** How many items a ranking shows at first, and how many "Show more" adds. */
export const PAGE = 24;

/** How many items a ranking shows at most: who has looked at these will not find it further down. */
export const MOST = 240;

/** Item ids, in the order they were clicked. @type {import("../vendor/signals.js").Signal<string[]>} */
export const history = signal([]);

/** Which view is shown: "find" items, the "list" made for the history, or the "map" of all items. */
export const view = signal("find");

/** The item in the drawer and the dimension it is walked along (null: not chosen yet), or null. */
export const opened = signal(null);

/** The walk that the map draws as a path: {itemId, dim}, or null. */
export const trail = signal(null);

/** How many items were opened one from another since the drawer opened. */
export const depth = signal(0);

/** Whether the find view begins with the introduction; decided when the view is entered, so that nothing jumps. */
export const introduced = signal(true);

/** The model version a shared link was made for, until the visitor changes the history. */
export const linkedModel = signal(null);

/** The concepts whose cards stay first and open. @type {import("../vendor/signals.js").Signal<number[]>} */
export const pins = signal([]);

/** What the visitor has turned, as the list is asked for. @type {import("../vendor/signals.js").Signal<object>} */
export const steering = signal(UNSTEERED);

/** The steering that the address holds: `steering` runs ahead of it only while a slider moves. */
export const settled = signal(UNSTEERED);

/** Steerings that undo and redo lead to, the nearest last. */
export const past = signal([]);
export const future = signal([]);

/** Whether a slider is being moved. */
export const sliding = signal(false);

/** The model version the steering was made for. */
export const steeredFor = signal(null);

/** Whether a steering was dropped because the model has changed. */
export const dropped = signal(false);

/** Whether the taste is open, where the window has no room for it beside the list. */
export const sheet = signal(false);

export const query = signal("");
export const amount = signal(PAGE);

/** The concept whose items stand out in the ranking, or null. */
export const spotlight = signal(null);

/** A short word to the visitor, shown for a moment. */
export const notice = signal("");
