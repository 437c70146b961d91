/** What happens on the server, told to the views while it happens. */

import { signal } from "@preact/signals";

import { apiKey, scope } from "../state/session";
import type { Listener, LiveStatus } from "./events";
import { SharedSource } from "./share";

/** The state of the connection. */
export const liveStatus = signal<LiveStatus>("connecting");

const listeners = new Set<Listener>();
let shared: SharedSource | undefined;

/** Tells a listener until the returned function is called. */
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

/** Leaves the connection, without a word to the views. */
export function stopLive(): void {
  shared?.stop();
  shared = undefined;
}

/** Stops what moves by itself, or lets it go on; then everything is read again. */
export function pauseLive(isPaused: boolean): void {
  if (!isPaused) {
    startLive();
    return;
  }
  stopLive();
  liveStatus.value = "paused";
}

/** Resolves when the connection was tried, so that a view need not read twice. */
export function liveTried(): Promise<void> {
  return new Promise((resolve) => {
    const dispose = liveStatus.subscribe((status) => {
      if (status === "connecting") return;
      resolve();
      queueMicrotask(() => dispose());
    });
  });
}
