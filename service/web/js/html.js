/** Templates without a build step: htm bound to preact's `h`. */
import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
