/** What streams tell and nothing keeps: how far runs are, and when machines were heard of. */

import { signal } from "@preact/signals";

import type { Usage } from "../api/types";
import type { PassingEvent } from "../live/events";
import { listen } from "../live/live";

/** The latest that was told of a run. */
export interface Told {
  run: number;
  at: string;
  message?: string;
  percent?: number | null;
  lease_expires_at?: string;
  usage?: Usage | null;
}

/** The latest that was told of a machine. */
export interface Beat {
  at: string;
  slots?: number | null;
  busy?: number | null;
}

const KEPT_MAX = 500;

/** What was told of runs, by task. */
export const toldRuns = signal<ReadonlyMap<string, Told>>(new Map());

/** What was told of machines. */
export const beats = signal<ReadonlyMap<string, Beat>>(new Map());

function kept<T>(map: ReadonlyMap<string, T>, id: string, value: T): ReadonlyMap<string, T> {
  const changed = new Map(map);
  changed.delete(id);
  changed.set(id, value);
  for (const oldest of changed.keys()) {
    if (changed.size <= KEPT_MAX) break;
    changed.delete(oldest);
  }
  return changed;
}

function onPassing(event: PassingEvent): void {
  const { id } = event.subject;
  if (event.type === "task.progress" || event.type === "task.renewed") {
    const before = toldRuns.value.get(id);
    const details = event.details as unknown as Told;
    const same = before?.run === details.run ? before : undefined;
    toldRuns.value = kept(toldRuns.value, id, { ...same, ...details, at: event.at });
  } else if (event.type === "orchestrator.heartbeat") {
    beats.value = kept(beats.value, id, { ...(event.details as object), at: event.at });
  }
}

/** Follows the server. */
export function startPassing(): void {
  listen({ onPassing });
}
