import { expect, test } from "vitest";

import type { OrchestratorView } from "../../api/types";
import { freeWords } from "./healthy";

function machine(status: string, slots: number, busy: number): OrchestratorView {
  return { status, slots, busy } as unknown as OrchestratorView;
}

test("the slots of a machine that drains are not free", () => {
  const active = machine("active", 4, 1);
  expect(freeWords([active, machine("draining", 2, 0)])).toBe("3 slots free on 1 machine.");
  expect(freeWords([active, machine("maintenance", 2, 0)])).toBe("3 slots free on 1 machine.");
  expect(freeWords([active, active])).toBe("6 slots free on 2 machines.");
});

test("if all machines drain, none takes new work", () => {
  expect(freeWords([machine("draining", 2, 0)])).toBe("No machine takes new work.");
});
