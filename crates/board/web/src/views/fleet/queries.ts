/** What the view Fleet reads: three requests, however many machines there are. */

import { useEffect } from "preact/hooks";

import { listPauses, listRunning } from "../../api/endpoints";
import type { OrchestratorList, PauseList, RunningList } from "../../api/types";
import { liveStatus } from "../../live/live";
import { POLL_MS } from "../../live/source";
import { now } from "../../state/clock";
import { beats } from "../../state/passing";
import { kinds, type QueryOptions, type ReadQuery } from "../../state/queries";
import { isSuspect } from "./machines";

/** The most runs that are shown. */
const RUNS_MAX = 500;

/** The runs that have not ended, for work and for reviews. */
export const runningQuery: QueryOptions<RunningList> = {
  name: "fleet.running",
  load: (signal) => listRunning({ limit: RUNS_MAX }, signal),
  concerns: kinds("task"),
};

/** The pauses of the scope that have not ended. */
export const pausesQuery: QueryOptions<PauseList> = {
  name: "pauses",
  load: (signal) => listPauses(signal),
  concerns: kinds("pause"),
};

/** The shortest time between two reads for machines that seem silent, in milliseconds. */
const AGAIN_MS = 30_000;

/**
 * Reads the machines again where their heartbeats do not arrive as messages: with each poll, and
 * when one that was live seems silent, since it may report to another server.
 */
export function useHeartbeats(query: ReadQuery<OrchestratorList>): void {
  const isPolling = liveStatus.value === "polling";
  useEffect(() => {
    if (!isPolling) return undefined;
    const timer = window.setInterval(() => query.invalidate(), POLL_MS);
    return () => window.clearInterval(timer);
  }, [isPolling, query]);
  useEffect(() => {
    let last = 0;
    return now.subscribe((time) => {
      const machines = query.data.peek()?.orchestrators ?? [];
      const told = beats.peek();
      const isAny = machines.some((machine) => isSuspect(machine, told.get(machine.id), time));
      if (!isAny || time - last < AGAIN_MS) return;
      last = time;
      query.invalidate();
    });
  }, [query]);
}
