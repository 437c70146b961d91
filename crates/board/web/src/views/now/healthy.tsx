/** One sentence about the scope when nothing waits, and the first steps where it is empty. */

import type { OrchestratorList, OrchestratorView, Summary } from "../../api/types";
import { isFinished } from "../../api/names";
import { listMachines } from "../../api/endpoints";
import { kinds, useQuery, type QueryOptions } from "../../state/queries";
import { FirstMachine, FirstTask } from "../../ui/first-steps";
import { counted } from "../../ui/words";

/** The machines of the scope. */
export const machinesQuery: QueryOptions<OrchestratorList> = {
  name: "machines",
  load: (signal) => listMachines({}, signal),
  concerns: kinds("orchestrator"),
};

/** Says that nothing waits. Where there is no task or no machine yet, it says what to do. */
export function Healthy({ summary, needs }: { summary: Summary; needs: number }) {
  const machines = useQuery(machinesQuery).data.value?.orchestrators;
  const open = Object.entries(summary.queues).filter(([queue]) => !isFinished(queue));
  const count = open.reduce((sum, [, tasks]) => sum + tasks, 0);
  const isNew = Object.values(summary.queues).every((tasks) => tasks === 0);
  if (isNew) return <FirstTask />;
  if (!machines) return null;
  const live = machines.filter((machine) => !machine.is_stale && machine.status !== "offline");
  if (live.length === 0 && count > 0) return <FirstMachine />;
  if (count > 0) return null;
  return (
    <p class="healthy">
      ✓ Nothing waits{needs === 0 ? ", and nothing needs you" : ""}. {freeWords(live)}
    </p>
  );
}

/** The free slots of live machines, in a sentence. One that drains takes no more work. */
export function freeWords(live: readonly OrchestratorView[]): string {
  const takers = live.filter(({ status }) => status !== "draining" && status !== "maintenance");
  if (live.length > 0 && takers.length === 0) return "No machine takes new work.";
  const slots = takers.reduce((sum, { slots: all, busy }) => sum + (all ?? 0) - (busy ?? 0), 0);
  return `${counted(slots, "slot")} free on ${counted(takers.length, "machine")}.`;
}
