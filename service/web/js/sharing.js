/** Putting things on the clipboard, and saying that they are there. */
import { notice } from "./state.js";

const SHOWN_FOR = 2600; // milliseconds

export const shareAddress = () => copy(location.href, "The link to this page is copied.");

export async function copy(text, success) {
  try {
    await navigator.clipboard.writeText(text);
    say(success);
  } catch {
    say("The browser does not let this page copy: take the address from its bar.");
  }
}

function say(text) {
  notice.value = text;
  setTimeout(() => notice.peek() === text && (notice.value = ""), SHOWN_FOR);
}
