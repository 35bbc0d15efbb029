/** Light or dark: as the system prefers, or as the visitor chose (early-theme.js applies it before the first paint). */
import { signal } from "../vendor/signals.js";

const KEY = "macrid-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const dark = signal(isDark());

system.addEventListener("change", () => (dark.value = isDark()));

export function toggleTheme() {
  const next = dark.peek() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  dark.value = isDark();
  keep(next);
}

function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is denied: the choice lasts as long as the page.
  }
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}
