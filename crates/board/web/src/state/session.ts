/** The session: the key, the scope that is shown, and what the key may do. */

import { computed, signal } from "@preact/signals";

const KEY = "octopoid.key";
const SCOPE = "octopoid.scope";
const NAME = "octopoid.name";

/** The permission of a caller, as the server names it. */
export type Permission = "read" | "work" | "manage" | "admin" | "run";

/**
 * The API key, or an empty text. It is kept for this tab, or in this browser if the user asks for
 * that. It is never in a cookie, which the browser would send to other programs on the same host.
 */
export const apiKey = signal(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "");

/** The scope that is shown; empty until it is known. */
export const scope = signal("");

/** What the caller may do; unknown until the server has said it. */
export const permission = signal<Permission | undefined>(undefined);

/** Whether the server wants a key that the board does not have. */
export const needsKey = signal(false);

/** The name under which this person decides. */
export const userName = signal(localStorage.getItem(NAME) ?? "board");

/** Whether the caller may decide: accept, reject, cancel, drain and so on. */
export const canDecide = computed(() => ["manage", "admin"].includes(permission.value ?? ""));

/** Whether the caller may add tasks, drafts and messages. */
export const canCreate = computed(() => canDecide.value || permission.value === "work");

/** Keeps a key for this tab, or in this browser until it is forgotten. */
export function keepKey(key: string, isRemembered: boolean): void {
  sessionStorage.setItem(KEY, key);
  if (isRemembered) localStorage.setItem(KEY, key);
  apiKey.value = key;
}

/** Forgets the key: the server has refused it, or the user signs out. */
export function forgetKey(): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  apiKey.value = "";
  permission.value = undefined;
  needsKey.value = true;
}

/** Keeps the name of the person. */
export function keepName(name: string): void {
  userName.value = name.trim() || "board";
  localStorage.setItem(NAME, userName.value);
}

/** The scope that was shown last. */
export function lastScope(): string | null {
  return localStorage.getItem(SCOPE);
}

/** Shows a scope. */
export function chooseScope(name: string): void {
  scope.value = name;
  localStorage.setItem(SCOPE, name);
}
