/** The connection to the server's events, and the listeners that are called for each. */

import { signal } from "@preact/signals";

import { apiKey, scope } from "../state/session";
import type { Listener, LiveStatus } from "./events";
import { SharedSource } from "./share";

/** The state of the connection. */
export const liveStatus = signal<LiveStatus>("connecting");

const listeners = new Set<Listener>();
let shared: SharedSource | undefined;

/** Calls a listener for each event until the returned function is called. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follows the scope that is shown, with the key that is used now. */
export function startLive(): void {
  stopLive();
  liveStatus.value = "connecting";
  const source = new SharedSource(`octopoid:${scope.value}:${apiKey.value.slice(-12)}`, {
    status: (status) => (liveStatus.value = status),
    event: (event) => listeners.forEach((listener) => listener.onEvent?.(event)),
    passing: (event) => listeners.forEach((listener) => listener.onPassing?.(event)),
    gap: () => listeners.forEach((listener) => listener.onGap?.()),
    tick: () => listeners.forEach((listener) => listener.onTick?.()),
  });
  shared = source;
  void source.run();
}

/** Ends the connection. The status stays as it is. */
export function stopLive(): void {
  shared?.stop();
  shared = undefined;
}

/** Pauses the live updates, or resumes them. When they resume, everything is read again. */
export function pauseLive(isPaused: boolean): void {
  if (isPaused) {
    stopLive();
    liveStatus.value = "paused";
    return;
  }
  startLive();
  // Another tab may read the stream, which has no gap for that tab.
  void liveTried().then(() => listeners.forEach((listener) => listener.onGap?.()));
}

/** Resolves when the connection was tried, so that a view does not read twice. */
export function liveTried(): Promise<void> {
  return new Promise((resolve) => {
    const dispose = liveStatus.subscribe((status) => {
      if (status === "connecting") return;
      resolve();
      queueMicrotask(() => dispose());
    });
  });
}
