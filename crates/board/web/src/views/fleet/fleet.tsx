/** The view Fleet: the machines, what they run, and what is paused. */

import { now } from "../../state/clock";
import { navigate, parameters, setParameters } from "../../state/location";
import { beats } from "../../state/passing";
import { useQuery } from "../../state/queries";
import { canDecide } from "../../state/session";
import { machinePath } from "../../state/paths";
import { Button } from "../../ui/basics";
import { FirstMachine } from "../../ui/first-steps";
import { Loaded } from "../../ui/loading";
import { useCursor, useListKeys, useNamedRow } from "../../ui/rows";
import { counted } from "../../ui/words";
import { useTitle } from "../../shell/title";
import { machinesQuery } from "../now/healthy";
import "./fleet.css";
import { MachineRow } from "./machine-row";
import { machinesOf, runsElsewhere, slotsOf, type Machine } from "./machines";
import { PauseForm } from "./pause-form";
import { Pauses } from "./pauses";
import { pausesQuery, runningQuery, useHeartbeats } from "./queries";
import { RunLine } from "./run-line";

/** Shows the view. `id` is the machine that the address names. */
export function FleetView({ id }: { id?: string }) {
  const list = useQuery(machinesQuery);
  const running = useQuery(runningQuery);
  const pauses = useQuery(pausesQuery);
  useHeartbeats(list);
  const runs = running.data.value?.runs ?? [];
  const machines = machinesOf(list.data.value?.orchestrators ?? [], beats.value, runs, now.value);
  const elsewhere = runsElsewhere(runs, machines);
  const cursor = useCursor(machines.map((machine) => machine.id));
  useListKeys(cursor, (at) => navigate(machinePath(at)));
  useTitle(id === undefined ? "Fleet" : `${id} · Fleet`);
  const isKnown = machines.some((machine) => machine.id === id);
  useNamedRow(cursor, id);
  const isPausing = parameters.value.get("pause") === "new";
  return (
    <div class="view fleet">
      <h1>
        Fleet <Sum machines={machines} />
      </h1>
      <Loaded query={list}>
        {() => (
          <>
            {machines.length === 0 && <NoMachine />}
            {id !== undefined && !isKnown && <p class="dim">No machine has the id {id}.</p>}
            <ul class="rows machines">
              {machines.map((machine) => (
                <MachineRow key={machine.id} cursor={cursor} machine={machine} />
              ))}
            </ul>
          </>
        )}
      </Loaded>
      {elsewhere.length > 0 && (
        <section aria-labelledby="elsewhere">
          <h2 id="elsewhere">
            On no machine that registered <span class="count">{elsewhere.length}</span>
          </h2>
          <ul class="plain">
            {elsewhere.map((run) => (
              <RunLine key={run.task_id} run={run} />
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="pauses">
        <div class="section-head">
          <h2 id="pauses">Pauses</h2>
          {canDecide.value && (
            <Button onClick={() => setParameters({ pause: "new" })}>Pause…</Button>
          )}
        </div>
        <Loaded query={pauses} rows={1}>
          {(data) => <Pauses pauses={data.pauses} />}
        </Loaded>
      </section>
      {isPausing && canDecide.value && (
        <PauseForm machines={machines} onClose={() => setParameters({ pause: undefined })} />
      )}
    </div>
  );
}

/** The sums over all machines. */
function Sum({ machines }: { machines: readonly Machine[] }) {
  if (machines.length === 0) return null;
  const live = machines.filter((machine) => machine.health === "live").length;
  const { slots, busy } = slotsOf(machines);
  return (
    <span class="sum dim">
      {counted(live, "machine")} live
      {live < machines.length && ` of ${machines.length}`}
      {slots > 0 && ` · ${busy} of ${counted(slots, "slot")} busy`}
    </span>
  );
}

function NoMachine() {
  return (
    <FirstMachine>
      <p class="dim">
        It shows here within seconds, and takes the tasks that wait. The agent may be any program:
        what follows <code>--</code> is its command line.
      </p>
    </FirstMachine>
  );
}
