/** What only streams report: the progress of runs, and the heartbeats of machines. */

import { signal } from "@preact/signals";

import type { Usage } from "../api/types";
import type { PassingEvent } from "../live/events";
import { listen } from "../live/live";
import { remember } from "./recent";

/** The latest report of a run. */
interface Told {
  run: number;
  at: string;
  message?: string;
  percent?: number | null;
  lease_expires_at?: string;
  usage?: Usage | null;
}

/** The latest heartbeat of a machine. */
export interface Beat {
  at: string;
  slots?: number | null;
  busy?: number | null;
}

/** The most runs, and the most machines, whose latest report is kept. */
const KEPT_MAX = 500;

/** The latest reports of runs, by task. */
const toldRuns = signal<ReadonlyMap<string, Told>>(new Map());

/** The latest heartbeats, by machine. */
export const beats = signal<ReadonlyMap<string, Beat>>(new Map());

function kept<T>(map: ReadonlyMap<string, T>, id: string, value: T): ReadonlyMap<string, T> {
  const changed = new Map(map);
  remember(changed, id, value, KEPT_MAX);
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

/** How far a run is, and what it has used. */
export interface Latest {
  progress: Reported["progress"];
  usage: Usage | null | undefined;
  /** When the lease ends, if a report has said it. */
  leaseEnd: string | undefined;
}

/** What the API returns of a run, as far as reports replace it. */
interface Reported {
  progress?: { at: string; message?: string | null; percent?: number | null } | null | undefined;
  usage?: Usage | null | undefined;
}

/** What is known of the run with this number: its latest report, else what the API returned. */
export function latestOf(
  taskId: string,
  run: number | undefined,
  read: Reported | null | undefined,
): Latest {
  const told = toldRuns.value.get(taskId);
  const report = told !== undefined && told.run === run ? told : undefined;
  return {
    progress: report?.message !== undefined ? report : read?.progress,
    usage: report?.usage ?? read?.usage,
    leaseEnd: report?.lease_expires_at,
  };
}

/** Follows the server. */
export function startPassing(): void {
  listen({ onPassing });
}
