/** Dark or light: as the system has it, until the user chooses. */

import { signal } from "@preact/signals";

const THEME = "octopoid.theme";

type Theme = "system" | "light" | "dark";

/** What the user has chosen. */
export const theme = signal<Theme>((localStorage.getItem(THEME) as Theme | null) ?? "system");

function isDark(): boolean {
  if (theme.value !== "system") return theme.value === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Shows the theme that was chosen. */
export function applyTheme(): void {
  const { dataset } = document.documentElement;
  if (theme.value === "system") delete dataset.theme;
  else dataset.theme = theme.value;
}

/** Changes between dark and light. */
export function toggleTheme(): void {
  theme.value = isDark() ? "light" : "dark";
  localStorage.setItem(THEME, theme.value);
  applyTheme();
}
