/* Runs before the first paint, so that a chosen theme does not flash: the one script of the page that is no module. */
try {
  const theme = localStorage.getItem("macrid-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  /* Storage is denied: the system's preference holds. */
}
