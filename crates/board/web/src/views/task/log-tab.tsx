/** The log of a run, followed while it grows. */

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Run, Task } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { parameters, setParameters } from "../../state/location";
import { Button, copy, Empty } from "../../ui/basics";
import { Problem } from "../../ui/problem";
import { counted } from "../../ui/words";
import { withoutColours } from "./ansi";
import { failures, linesWith, nextOf } from "./log-lines";
import { LogReader, type LogState } from "./log-reader";
import { LogView, type Viewer } from "./log-view";

/** What the keys that move through the log have in common. */
const REPEATED = { group: "Log", isRepeated: true };

/** Shows the log of the run that the address names, else of the latest. */
export function LogTab({ task, runs }: { task: Task; runs: readonly Run[] }) {
  const named = Number(parameters.value.get("run"));
  const run = runs.find((known) => known.run === named) ?? runs[0];
  if (!run) {
    return (
      <Empty>
        <p>No agent has claimed the task yet. What it prints is shown here, while it prints it.</p>
      </Empty>
    );
  }
  return <RunLog key={run.run} task={task} run={run} runs={runs} />;
}

function useReader(task: Task, run: Run): LogReader {
  const isRunning = run.outcome === "running";
  const reader = useMemo(() => new LogReader(task.id, run.run, isRunning), []);
  useEffect(() => {
    void reader.follow();
    return () => reader.stop();
  }, [reader]);
  useEffect(() => {
    if (!isRunning) reader.end();
  }, [isRunning]);
  return reader;
}

function RunLog({ task, run, runs }: { task: Task; run: Run; runs: readonly Run[] }) {
  const reader = useReader(task, run);
  const [isFollowed, follow] = useState(lineOfAddress() === undefined);
  // A signal, so that a key that is held down goes on from where the last press has led.
  const at = useSignal(lineOfAddress() ?? -1);
  const viewer = useRef<Viewer>(null);
  const lines = reader.lines.value;
  const bad = useMemo(() => failures(lines), [lines]);
  const go = (line: number | undefined) => {
    if (line === undefined) return;
    follow(false);
    at.value = line;
    viewer.current?.show(line);
  };
  const choose = (line: number) => {
    go(line);
    window.history.replaceState(null, "", `#L${line + 1}`);
  };
  useKeys([
    { ...REPEATED, keys: "e", label: "Next error", run: () => go(nextOf(bad, at.value, 1)) },
    { ...REPEATED, keys: "E", label: "Previous error", run: () => go(nextOf(bad, at.value, -1)) },
  ]);
  return (
    <section aria-labelledby="log">
      <h2 id="log" class="unseen">
        Log
      </h2>
      <div class="bar">
        {runs.length > 1 && <RunChoice run={run} runs={runs} />}
        <Search lines={lines} at={at} onGo={go} />
        <Button
          disabled={bad.length === 0}
          onClick={() => go(nextOf(bad, at.value, 1))}
          title="Key: e"
        >
          {bad.length === 0 ? "No errors" : `Next of ${counted(bad.length, "error")}`}
        </Button>
        <Button aria-pressed={isFollowed} onClick={() => follow(!isFollowed)}>
          Follow
        </Button>
        <Takeaway lines={lines} name={`${task.id}-${run.run}.log`} />
        <Standing state={reader.state.value} count={lines.length} />
      </div>
      <Problem text={reader.error.value}>. It is tried again.</Problem>
      {reader.missing.value > 0 && (
        <p class="dim">
          The first {counted(Math.ceil(reader.missing.value / 1_024), "KiB", "KiB")} are not kept
          any more: line 1 is the first that the server has.
        </p>
      )}
      {lines.length === 0 && reader.state.value !== "reading" ? (
        <NoLines state={reader.state.value} />
      ) : (
        <LogView
          viewer={viewer}
          lines={lines}
          at={at.value}
          failures={bad}
          isFollowed={isFollowed}
          onFollow={follow}
          onChoose={choose}
        />
      )}
    </section>
  );
}

/** The line that the address names as `#L120`, counted from 0. */
function lineOfAddress(): number | undefined {
  const number = /^#L(\d{1,9})$/.exec(window.location.hash)?.[1];
  return number === undefined ? undefined : Math.max(0, Number(number) - 1);
}

function RunChoice({ run, runs }: { run: Run; runs: readonly Run[] }) {
  return (
    <label class="inline">
      Log of{" "}
      <select
        value={run.run}
        onChange={(event) => setParameters({ run: event.currentTarget.value })}
      >
        {runs.map((other) => (
          <option key={other.run} value={other.run}>
            run {other.run}, {other.outcome}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Finds a text: `n` leads to the next line that has it, `N` to the one before. */
function Search(props: {
  lines: readonly string[];
  at: Signal<number>;
  onGo: (line: number | undefined) => void;
}) {
  const { lines, at, onGo } = props;
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const found = useMemo(() => linesWith(lines, text), [lines, text]);
  const go = (by: 1 | -1) => onGo(nextOf(found, at.value, by));
  useKeys([
    { keys: "/", label: "Search the log", run: () => field.current?.focus(), group: "Log" },
    { ...REPEATED, keys: "n", label: "Next line with the text", run: () => go(1) },
    { ...REPEATED, keys: "N", label: "Previous line with the text", run: () => go(-1) },
  ]);
  const place = found.indexOf(at.value);
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        go(1);
      }}
    >
      <input
        ref={field}
        type="search"
        aria-label="Search the log"
        placeholder="Search  /"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && event.shiftKey) {
            event.preventDefault();
            go(-1);
          } else if (event.key === "Escape") field.current?.blur();
        }}
      />
      {text && (
        <span class="dim" role="status">
          {place >= 0 ? `${place + 1} of ` : ""}
          {counted(found.length, "line")}
        </span>
      )}
      <Button
        kind="quiet"
        aria-label="Previous line"
        disabled={!found.length}
        onClick={() => go(-1)}
      >
        ↑
      </Button>
      <Button kind="quiet" aria-label="Next line" disabled={!found.length} onClick={() => go(1)}>
        ↓
      </Button>
    </form>
  );
}

/** Copies the log, or stores it as a file, without colours. */
function Takeaway({ lines, name }: { lines: readonly string[]; name: string }) {
  const [isCopied, setCopied] = useState(false);
  const text = () => `${lines.map(withoutColours).join("\n")}\n`;
  const download = () => {
    const url = URL.createObjectURL(new Blob([text()], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name.replaceAll(/[^\w.-]/g, "_");
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <span class="buttons">
      <Button
        kind="quiet"
        disabled={lines.length === 0}
        onClick={() => void copy(text()).then(setCopied)}
      >
        {isCopied ? "Copied" : "Copy"}
      </Button>
      <Button kind="quiet" disabled={lines.length === 0} onClick={download}>
        Download
      </Button>
    </span>
  );
}

const STATES: Record<LogState, string> = {
  reading: "reading",
  following: "● live",
  ended: "ended",
  failed: "not reached",
};

function Standing({ state, count }: { state: LogState; count: number }) {
  return (
    <span class={`standing ${state === "following" ? "is-running" : "dim"}`}>
      {counted(count, "line")} · <span role="status">{STATES[state]}</span>
    </span>
  );
}

function NoLines({ state }: { state: LogState }) {
  return (
    <Empty>
      <p>
        {state === "following"
          ? "The agent has printed nothing yet. What it prints is shown here at once."
          : "There is no log. The agent printed nothing, or its log is not kept any more."}
      </p>
    </Empty>
  );
}
