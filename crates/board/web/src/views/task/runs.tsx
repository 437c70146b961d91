/** The runs of a task, a line each; what a run has handed in is shown on request. */

import { useState } from "preact/hooks";

import type { Run, RunDetails, RunList } from "../../api/types";
import { absolute, duration, instant, now } from "../../state/clock";
import { parameters, setParameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { taskPath } from "../../state/paths";
import { Ago, Button, Command, Empty, Link, OuterLink, Shape } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { usageWords, type StateKind } from "../../ui/words";
import { Checks } from "./checks";
import { Changes } from "./evidence";
import { RUNS_PAGE, runQuery, runsQuery } from "./queries";
import { resultOf } from "./result";
import { latestOfRun, Progressing } from "./working";

/** Shows the runs, the newest first. The one that the address names is open. */
export function Runs({ taskId }: { taskId: string }) {
  const [count, setCount] = useState(RUNS_PAGE);
  const query = useQuery(runsQuery(taskId, count));
  return (
    <Loaded query={query}>
      {(list) => (
        <RunRows taskId={taskId} list={list} onMore={() => setCount(Math.min(500, count * 4))} />
      )}
    </Loaded>
  );
}

function RunRows(props: { taskId: string; list: RunList; onMore: () => void }) {
  const { taskId, list, onMore } = props;
  const named = parameters.value.get("run");
  const open = named === null ? list.runs[0]?.run : Number(named);
  if (list.runs.length === 0) {
    return (
      <Empty>
        <p>No agent has claimed the task yet. Each claim begins a run, which is shown here.</p>
      </Empty>
    );
  }
  return (
    <>
      <ul class="rows runs">
        {list.runs.map((run) => (
          <li key={run.run} class="row">
            <RunLine run={run} isOpen={run.run === open} />
            {run.run === open && <RunMore taskId={taskId} run={run} />}
          </li>
        ))}
      </ul>
      {list.next_cursor && list.runs.length < 500 && (
        <Button onClick={onMore}>Show earlier runs</Button>
      )}
    </>
  );
}

const KINDS: Record<string, StateKind> = {
  running: "running",
  submitted: "review",
  failed: "failed",
  released: "waiting",
  lapsed: "failed",
  cancelled: "failed",
  accepted: "done",
  rejected: "failed",
};

/** A run in a line. */
function RunLine({ run, isOpen }: { run: Run; isOpen: boolean }) {
  const shape = KINDS[run.verdict ?? run.outcome] ?? "waiting";
  const end = run.ended_at ? instant(run.ended_at) : now.value;
  const usage = usageWords(latestOfRun(run).usage);
  const toggle = () => setParameters({ run: isOpen ? "0" : String(run.run), tab: "runs" });
  return (
    <div class="line">
      <Shape kind={shape} />
      <button type="button" class="run-name" aria-expanded={isOpen} onClick={toggle}>
        {run.attempt ? `attempt ${run.attempt}` : "review"} <span class="dim">run {run.run}</span>
      </button>
      <span>
        {run.outcome}
        {run.reason && `: ${run.reason.replaceAll("_", " ")}`}
      </span>
      {run.verdict && (
        <span class={run.verdict === "accepted" ? "is-done" : "is-failed"}>{run.verdict}</span>
      )}
      <span class="dim">
        {run.agent ?? "an agent"}
        {run.orchestrator_id && ` on ${run.orchestrator_id}`}
      </span>
      <span class="dim" title={`From ${absolute(run.started_at)}`}>
        {duration(end - instant(run.started_at))}
      </span>
      {usage && <span class="dim">{usage}</span>}
      <span class="dim run-ago">
        <Ago at={run.started_at} />
      </span>
    </div>
  );
}

/** What a run has said and handed in. */
function RunMore({ taskId, run }: { taskId: string; run: Run }) {
  const query = useQuery(runQuery(taskId, run.run));
  const page = taskPath(taskId);
  return (
    <div class="run-more">
      {run.message && <p class="prose">{run.message}</p>}
      {run.outcome === "running" && <Progressing run={run} />}
      <Loaded query={query} rows={1}>
        {(details) => <Handed details={details} page={page} />}
      </Loaded>
      <p class="run-links">
        <Link to={`${page}?tab=log&run=${run.run}`}>Log</Link>
        {run.kind === "work" && <Link to={`${page}?tab=diff&run=${run.run}`}>Diff</Link>}
      </p>
      {run.kind === "work" && (
        <p class="dim">
          On {run.orchestrator_id ?? "its machine"}, this says how to look at the work, and how to
          go on with the session: <Command text={`octopoid agent attach ${quoted(taskId)}`} />
        </p>
      )}
    </div>
  );
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w.:@/-]+$/.test(word) && !word.startsWith("-")
    ? word
    : `'${word.replaceAll("'", "'\\''")}'`;
}

function Handed({ details, page }: { details: RunDetails; page: string }) {
  const result = resultOf(details);
  const { usage } = details;
  return (
    <>
      {(result.insertions !== undefined || result.prUrl || result.branch) && (
        <p class="digest">
          <Link to={`${page}?tab=diff&run=${details.run}`}>
            <Changes {...result} />
          </Link>
          {result.branch && <code>{result.branch}</code>}
          {result.prUrl && <OuterLink url={result.prUrl} />}
        </p>
      )}
      {result.summary && <p class="prose summary">{result.summary}</p>}
      <Checks checks={result.checks} />
      {(usage?.model || usage?.turns || result.adapter || result.sessionRef) && (
        <p class="digest dim">
          {usage?.model && <span>{usage.model}</span>}
          {typeof usage?.turns === "number" && <span>{usage.turns} turns</span>}
          {result.adapter && <span>{result.adapter}</span>}
          {result.sessionRef && (
            <span>
              session <Command text={result.sessionRef} />
            </span>
          )}
        </p>
      )}
    </>
  );
}
