/** Machines: the list as it was read, with the heartbeats that arrived since. */

import type { OrchestratorView, RunningRun } from "../../api/types";
import type { Beat } from "../../state/passing";

/** A machine is silent after this time without a heartbeat, in milliseconds, as on the server. */
const SILENT_MS = 120_000;
/** After this time without a heartbeat the machines are read again, before one is called silent. */
const SUSPECT_MS = 90_000;

/** The health of a machine. */
export type Health = "live" | "draining" | "maintenance" | "silent" | "offline";

/** A machine as it is shown. */
export interface Machine {
  id: string;
  name: string;
  cluster: string;
  hostname: string;
  health: Health;
  /** The time of its last heartbeat. */
  at: string;
  /** Whether it gets no new work. A silent machine may drain too. */
  isDraining: boolean;
  slots: number | undefined;
  busy: number | undefined;
  roles: readonly string[];
  queues: readonly string[];
  pools: readonly string[];
  version: string;
  runs: readonly RunningRun[];
}

/** Combines the list, the heartbeats and the runs. Live machines come first, then by name. */
export function machinesOf(
  read: readonly OrchestratorView[],
  beats: ReadonlyMap<string, Beat>,
  runs: readonly RunningRun[],
  now: number,
): Machine[] {
  const machines = read.map((machine) => machineOf(machine, beats.get(machine.id), runs, now));
  return machines.sort(
    (a, b) => ORDER.indexOf(a.health) - ORDER.indexOf(b.health) || (a.name < b.name ? -1 : 1),
  );
}

const ORDER: readonly Health[] = ["live", "draining", "maintenance", "silent", "offline"];

function machineOf(
  machine: OrchestratorView,
  beat: Beat | undefined,
  runs: readonly RunningRun[],
  now: number,
): Machine {
  const told = beat && Date.parse(beat.at) > Date.parse(machine.last_heartbeat) ? beat : undefined;
  const at = told?.at ?? machine.last_heartbeat;
  return {
    id: machine.id,
    name: machine.machine_id,
    cluster: machine.cluster,
    hostname: machine.hostname ?? "",
    health: healthOf(machine.status, now - Date.parse(at), told !== undefined),
    at,
    isDraining: machine.status === "draining",
    slots: told?.slots ?? machine.slots ?? undefined,
    busy: told?.busy ?? machine.busy ?? undefined,
    roles: machine.roles ?? [],
    queues: machine.queues ?? [],
    pools: machine.pools ?? [],
    version: machine.version ?? "",
    runs: runs.filter((run) => run.orchestrator_id === machine.id),
  };
}

/**
 * The health of a machine whose last heartbeat was `silence` milliseconds ago. The server sets a
 * silent machine to `offline`, and a machine that ends sets itself. A heartbeat that arrived after
 * the machine was read makes it live again.
 */
export function healthOf(status: string, silence: number, hasBeatSince = false): Health {
  if (silence > SILENT_MS) return "silent";
  if (status === "offline" && !hasBeatSince) return "offline";
  return status === "draining" || status === "maintenance" ? status : "live";
}

/** Whether a machine that was live when it was read seems to be silent now. */
export function isSuspect(machine: OrchestratorView, beat: Beat | undefined, now: number): boolean {
  if (machine.is_stale || machine.status === "offline") return false;
  const at = Math.max(Date.parse(machine.last_heartbeat), beat ? Date.parse(beat.at) : 0);
  return now - at > SUSPECT_MS;
}

/** The slots of the machines that take work, and how many of them are busy. */
export function slotsOf(machines: readonly Machine[]): { slots: number; busy: number } {
  const live = machines.filter((machine) => machine.health === "live");
  return {
    slots: live.reduce((sum, machine) => sum + (machine.slots ?? 0), 0),
    busy: live.reduce((sum, machine) => sum + (machine.busy ?? 0), 0),
  };
}

/** The runs on machines that are not in the list, because they never registered. */
export function runsElsewhere(
  runs: readonly RunningRun[],
  machines: readonly Machine[],
): RunningRun[] {
  const known = new Set(machines.map((machine) => machine.id));
  return runs.filter((run) => !run.orchestrator_id || !known.has(run.orchestrator_id));
}
