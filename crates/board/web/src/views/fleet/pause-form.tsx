/** The form of a new pause. */

import { useState } from "preact/hooks";

import { putPause } from "../../api/endpoints";
import { now } from "../../state/clock";
import { queryNamed } from "../../state/queries";
import { scope, userName } from "../../state/session";
import { useAttempt } from "../../ui/attempt";
import { End } from "../../ui/form";
import { Panel } from "../../ui/panel";
import type { Machine } from "./machines";
import { endOf, localText, targetOf, TARGETS, type Length, type TargetKind } from "./pause-words";
import { pausesQuery } from "./queries";

const KINDS: Record<TargetKind, string> = {
  scope: "everything of this scope",
  queue: "a queue",
  role: "a role",
  pool: "a pool, such as an account that agents share",
};

const LENGTHS: [Length, string][] = [
  ["15min", "15 minutes"],
  ["1h", "1 hour"],
  ["time", "until a time"],
  ["open", "until it is ended"],
];

/** Shows the form. The names that machines report are proposed. */
export function PauseForm(props: { machines: readonly Machine[]; onClose: () => void }) {
  const attempt = useAttempt();
  const [kind, setKind] = useState<TargetKind>("scope");
  const [name, setName] = useState("");
  const [length, setLength] = useState<Length>("1h");
  const [time, setTime] = useState(localText(now.peek() + 2 * 3_600_000));
  const [reason, setReason] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    const until = endOf(length, now.peek(), time)?.toISOString();
    const body = { scope: scope.value, reason: reason.trim(), by: userName.value, until };
    const isDone = await attempt.run(async () => {
      const made = await putPause(targetOf(kind, name.trim()), body);
      queryNamed(pausesQuery).patch((list) => ({
        ...list,
        pauses: [made, ...list.pauses.filter((other) => other.target !== made.target)],
      }));
    });
    if (isDone) props.onClose();
  };
  return (
    <Panel title="Pause" onClose={props.onClose}>
      <p class="dim">What is paused is not handed out. What runs already goes on.</p>
      <form class="form" onSubmit={submit}>
        <label>
          What is paused
          <select
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as TargetKind)}
          >
            {TARGETS.map((target) => (
              <option key={target} value={target}>
                {KINDS[target]}
              </option>
            ))}
          </select>
        </label>
        {kind !== "scope" && (
          <Name kind={kind} machines={props.machines} name={name} onName={setName} />
        )}
        <LengthChoice length={length} onLength={setLength} time={time} onTime={setTime} />
        <label>
          Why? Others read this beside what waits.
          <input
            required
            maxLength={1_000}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <End {...attempt} submit="Pause" onCancel={props.onClose} />
      </form>
    </Panel>
  );
}

function LengthChoice(props: {
  length: Length;
  onLength: (length: Length) => void;
  time: string;
  onTime: (time: string) => void;
}) {
  return (
    <>
      <fieldset class="pause-length">
        <legend>For how long</legend>
        {LENGTHS.map(([value, words]) => (
          <label key={value} class="check">
            <input
              type="radio"
              name="length"
              checked={props.length === value}
              onChange={() => props.onLength(value)}
            />{" "}
            {words}
          </label>
        ))}
      </fieldset>
      {props.length === "time" && (
        <label>
          Until, in the time of this machine
          <input
            type="datetime-local"
            required
            min={localText(now.peek())}
            value={props.time}
            onInput={(event) => props.onTime(event.currentTarget.value)}
          />
        </label>
      )}
    </>
  );
}

function Name(props: {
  kind: Exclude<TargetKind, "scope">;
  machines: readonly Machine[];
  name: string;
  onName: (name: string) => void;
}) {
  const list = { queue: "queues", role: "roles", pool: "pools" } as const;
  const known = new Set(props.machines.flatMap((machine) => machine[list[props.kind]]));
  if (props.kind === "queue") known.add("incoming").add("provisional");
  return (
    <label>
      Name of the {props.kind}
      <input
        required
        maxLength={500}
        list="pause-names"
        value={props.name}
        onInput={(event) => props.onName(event.currentTarget.value)}
      />
      <datalist id="pause-names">
        {[...known].sort().map((option) => (
          <option key={option} value={option} />
        ))}
      </datalist>
    </label>
  );
}
