/** The start of the board: the caller's permission, and the scope that is shown. */

import { getScopes, login } from "../api/endpoints";
import { ApiError } from "../api/http";
import { startLive, stopLive } from "../live/live";
import { signal } from "@preact/signals";
import { addressedScope, navigate, path, takeSecret } from "../state/location";
import { forgetQueries } from "../state/queries";
import {
  apiKey,
  chooseScope,
  keepKey,
  lastScope,
  needsKey,
  permission,
  type Permission,
} from "../state/session";

/** Why the board could not start, in the words of the server. */
export const startError = signal<string | undefined>(undefined);

/** Uses the code of a one-time link, if the address has one. */
export async function useLink(): Promise<void> {
  const code = takeSecret("k");
  if (!code) return;
  try {
    keepKey((await login(code)).api_key, false);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    startError.value = error.message;
  }
}

/** Reads what the caller may do, and shows a scope. */
export async function start(): Promise<void> {
  try {
    const told = await getScopes();
    const { scopes } = told;
    permission.value = told.permission as Permission;
    startError.value = undefined;
    needsKey.value = false;
    const names = scopes.map((known) => known.scope);
    const last = lastScope() ?? "";
    const only = names.length === 1 ? names[0] : undefined;
    // A key has one scope, which may not be the one that the address names.
    const own = apiKey.value && told.permission !== "admin" ? only : undefined;
    const known = only ?? (names.includes(last) ? last : undefined);
    const chosen = own ?? addressedScope.value ?? known;
    if (chosen === undefined) return;
    // This key may not be allowed to see what another one has read.
    forgetQueries();
    chooseScope(chosen);
    if (path.value === "/login") navigate("/", "replace");
    else if (addressedScope.value !== chosen) {
      const query = new URLSearchParams(window.location.search);
      query.set("scope", chosen);
      navigate(`${path.value}?${query}`, "replace");
    }
    startLive();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 401) startError.value = error.message;
    needsKey.value ||= error.status === 403;
  }
}

/** Shows another scope. */
export function openScope(name: string): void {
  stopLive();
  forgetQueries();
  chooseScope(name);
  navigate("/");
  startLive();
}
