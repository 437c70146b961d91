import { describe, expect, it } from "vitest";

import type { OrchestratorView, RunningRun } from "../../api/types";
import { healthOf, isSuspect, machinesOf, runsElsewhere, slotsOf } from "./machines";

const NOW = Date.parse("2026-11-26T12:00:00.000Z");

function at(secondsAgo: number): string {
  return new Date(NOW - secondsAgo * 1_000).toISOString();
}

function machine(id: string, more: Partial<OrchestratorView> = {}): OrchestratorView {
  return {
    id,
    cluster: "home",
    machine_id: id,
    hostname: null,
    repo_url: "",
    registered_at: at(900),
    last_heartbeat: at(10),
    status: "active",
    version: null,
    capabilities: null,
    scope: "s",
    slots: 4,
    busy: 1,
    roles: null,
    queues: null,
    pools: null,
    is_stale: false,
    ...more,
  };
}

function run(task: string, on: string | null): RunningRun {
  return { task_id: task, orchestrator_id: on } as RunningRun;
}

describe("the health of a machine", () => {
  it("is silence after two minutes, with any status", () => {
    expect(healthOf("active", 119_000)).toBe("live");
    expect(healthOf("active", 121_000)).toBe("silent");
    expect(healthOf("draining", 121_000)).toBe("silent");
  });

  it("is offline until a heartbeat arrives", () => {
    expect(healthOf("offline", 5_000)).toBe("offline");
    expect(healthOf("offline", 500_000)).toBe("silent");
    expect(healthOf("offline", 5_000, true)).toBe("live");
  });

  it("is suspect only if it was live when it was read, and no heartbeat arrived", () => {
    const quiet = machine("a", { last_heartbeat: at(100) });
    expect(isSuspect(quiet, undefined, NOW)).toBe(true);
    expect(isSuspect(quiet, { at: at(5) }, NOW)).toBe(false);
    expect(isSuspect({ ...quiet, is_stale: true }, undefined, NOW)).toBe(false);
  });
});

describe("the machines", () => {
  it("take later heartbeats into account, but no earlier ones", () => {
    const beats = new Map([
      ["a", { at: at(2), slots: 4, busy: 3 }],
      ["b", { at: at(60), slots: 4, busy: 4 }],
    ]);
    const shown = machinesOf([machine("a"), machine("b")], beats, [], NOW);
    expect(shown.map(({ busy }) => busy)).toEqual([3, 1]);
    expect(slotsOf(shown)).toEqual({ slots: 8, busy: 4 });
  });

  it("begin with the live ones, and have their runs", () => {
    const read = [
      machine("old", { last_heartbeat: at(500) }),
      machine("b"),
      machine("a", { status: "draining" }),
    ];
    const runs = [run("t1", "b"), run("t2", null), run("t3", "gone")];
    const shown = machinesOf(read, new Map(), runs, NOW);
    expect(shown.map(({ id }) => id)).toEqual(["b", "a", "old"]);
    expect(shown[0]?.runs.map((known) => known.task_id)).toEqual(["t1"]);
    expect(runsElsewhere(runs, shown).map((known) => known.task_id)).toEqual(["t2", "t3"]);
    expect(slotsOf(shown)).toEqual({ slots: 4, busy: 1 });
  });
});
