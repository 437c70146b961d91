/** The address of the board: which view is shown, with which parameters. */

import { computed, signal } from "@preact/signals";

import { scope } from "./session";

const current = signal(read());

/** The path, without its parameters. */
export const path = computed(() => current.value.pathname);

/** The parameters, without the scope. */
export const parameters = computed(() => {
  const found = new URLSearchParams(current.value.search);
  found.delete("scope");
  return found;
});

/** The scope that the address names. */
export const addressedScope = computed(() => current.value.searchParams.get("scope"));

function read(): URL {
  return new URL(window.location.href);
}

/** The address of a path in the scope that is shown. */
export function href(to: string): string {
  const url = new URL(to, window.location.origin);
  const scopeName = url.searchParams.get("scope") ?? scope.value;
  if (scopeName) url.searchParams.set("scope", scopeName);
  return url.pathname + url.search;
}

/** Shows a path. `replace` leaves no entry in the browser's history. */
export function navigate(to: string, how: "push" | "replace" = "push"): void {
  const url = href(to);
  if (how === "push") window.history.pushState(null, "", url);
  else window.history.replaceState(null, "", url);
  const before = current.value.pathname;
  current.value = read();
  if (before !== current.value.pathname) window.scrollTo(0, 0);
}

/** Changes parameters of the address: a value that is empty is removed. */
export function setParameters(changes: Record<string, string | undefined>): void {
  const changed = new URLSearchParams(parameters.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value) changed.set(name, value);
    else changed.delete(name);
  }
  navigate(changed.size > 0 ? `${path.value}?${changed}` : path.value, "replace");
}

/** Removes a secret `name=…` from the fragment of the address, and returns it. */
export function takeSecret(name: string): string | undefined {
  const secret = new URLSearchParams(window.location.hash.slice(1)).get(name) ?? undefined;
  if (secret !== undefined) {
    const { pathname, search } = window.location;
    window.history.replaceState(null, "", pathname + search);
    current.value = read();
  }
  return secret;
}

/** Follows the browser's back and forward. */
export function followHistory(): void {
  window.addEventListener("popstate", () => {
    current.value = read();
  });
}
