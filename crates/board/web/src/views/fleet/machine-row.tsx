/** A machine: its health, its slots, what it takes, and what it runs. */

import { patchMachine } from "../../api/endpoints";
import { duration, now } from "../../state/clock";
import { queryNamed } from "../../state/queries";
import { canDecide } from "../../state/session";
import { machinePath } from "../../state/paths";
import { Confirmed, useAttempt } from "../../ui/attempt";
import { Ago, Button, Link } from "../../ui/basics";
import { Problem } from "../../ui/problem";
import { Row, type Cursor } from "../../ui/rows";
import { counted } from "../../ui/words";
import { machinesQuery } from "../now/healthy";
import type { Health, Machine } from "./machines";
import { RunLine } from "./run-line";

/** The most slots that are drawn. Of a machine with more, only the numbers are shown. */
const SQUARES_MAX = 24;

/** Shows the row. */
export function MachineRow({ cursor, machine }: { cursor: Cursor; machine: Machine }) {
  const attempt = useAttempt();
  const set = (status: "draining" | "active") =>
    attempt.run(async () => {
      const changed = await patchMachine(machine.id, { status });
      queryNamed(machinesQuery).patch((list) => ({
        ...list,
        orchestrators: list.orchestrators.map((old) => (old.id === changed.id ? changed : old)),
      }));
    });
  return (
    <Row cursor={cursor} id={machine.id} class={`machine is-${machine.health}`}>
      <div class="line">
        <HealthMark machine={machine} />
        <Link class="title name" to={machinePath(machine.id)}>
          {machine.name}
        </Link>
        <span class="health">
          <HealthWords machine={machine} />
        </span>
        <Slots machine={machine} />
        <span class="version dim">{machine.version}</span>
        {canDecide.value && (
          <span class="buttons">
            {machine.isDraining ? (
              <Button isBusy={attempt.isBusy} onClick={() => void set("active")}>
                Resume
              </Button>
            ) : (
              ["live", "maintenance"].includes(machine.health) && (
                <Confirmed
                  label="Drain…"
                  question={drainQuestion(machine)}
                  yes="Drain"
                  isBusy={attempt.isBusy}
                  onYes={() => void set("draining")}
                />
              )
            )}
          </span>
        )}
      </div>
      <div class="line sub dim">
        <span>{takes(machine)}</span>
        {machine.hostname && machine.hostname !== machine.name && <span>{machine.hostname}</span>}
        <span class="cluster">cluster {machine.cluster}</span>
      </div>
      <Problem text={attempt.problem} />
      {machine.runs.length > 0 && (
        <ul class="plain runs" aria-label={`Runs on ${machine.name}`}>
          {machine.runs.map((run) => (
            <RunLine key={run.task_id} run={run} />
          ))}
        </ul>
      )}
    </Row>
  );
}

function drainQuestion(machine: Machine): string {
  const count = machine.runs.length;
  const rest = count > 0 ? ` Its ${counted(count, "run")} will be told to finish.` : "";
  return `Give ${machine.name} no more work?${rest}`;
}

const MARKS: Record<Health, [string, string]> = {
  live: ["●", "is-done"],
  draining: ["◐", "is-needs-you"],
  maintenance: ["◐", "is-waiting"],
  silent: ["◌", "is-waiting"],
  offline: ["○", "is-waiting"],
};

function HealthMark({ machine }: { machine: Machine }) {
  const [shape, color] = MARKS[machine.health];
  return (
    <span class={`shape ${isLost(machine) ? "is-failed" : color}`} aria-hidden="true">
      {shape}
    </span>
  );
}

/** Whether a machine fell silent while it had work. One without work may be switched off. */
function isLost({ health, runs }: Machine): boolean {
  return health === "silent" && runs.length > 0;
}

function HealthWords({ machine }: { machine: Machine }) {
  const { health, at } = machine;
  const seen = (
    <span class="dim">
      seen <Ago at={at} />
    </span>
  );
  switch (health) {
    case "silent":
      return (
        <span class={isLost(machine) ? "is-failed" : "dim"}>
          silent for {duration(now.value - Date.parse(at))}
          {machine.isDraining && ", draining"}
        </span>
      );
    case "draining":
      return (
        <>
          <span class="is-needs-you">draining</span> {seen}
        </>
      );
    default:
      return (
        <>
          {health} {seen}
        </>
      );
  }
}

function Slots({ machine: { slots, busy } }: { machine: Machine }) {
  if (slots === undefined) return <span class="slots dim">slots unknown</span>;
  const used = busy ?? 0;
  return (
    <span class="slots" title={`${used} of ${counted(slots, "slot")} busy`}>
      {slots <= SQUARES_MAX && (
        <span class="squares" aria-hidden="true">
          {Array.from({ length: slots }, (_, slot) => (
            <span key={slot} class={slot < used ? "square is-busy" : "square"} />
          ))}
        </span>
      )}
      <span>
        {used}/{slots}
        <span class="unseen"> slots busy</span>
      </span>
    </span>
  );
}

/** What a machine takes, in words. */
function takes({ roles, queues, pools }: Machine): string {
  const parts = [roles.length > 0 ? `takes ${roles.join(", ")}` : "takes all roles"];
  if (queues.length > 0) parts.push(`from ${queues.join(", ")}`);
  if (pools.length > 0) parts.push(`uses ${pools.join(", ")}`);
  return parts.join(" · ");
}
