/** The diff of a run: its files, how they are shown, and beside which earlier run. */

import { useMemo } from "preact/hooks";

import { parsePatch, type PatchFile } from "../../diff/parse";
import type { Run, RunDetails, Task } from "../../api/types";
import { parameters, setParameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { Button, Empty } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { counted } from "../../ui/words";
import { comparisonOf, type Comparison } from "./compare";
import { DiffFiles } from "./diff-files";
import { isSplit, showSplit } from "./diff-rows";
import { Changes } from "./evidence";
import { runQuery } from "./queries";
import { resultOf, type Result } from "./result";

/** Shows the diff of the run that the address names, else of the latest that handed in work. */
export function DiffTab({ task, runs }: { task: Task; runs: readonly Run[] }) {
  const works = worksOf(runs);
  const named = Number(parameters.value.get("run"));
  const chosen = works.find(({ run }) => run === named) ?? handedIn(works);
  if (!chosen) {
    return (
      <Empty>
        <p>No run has handed in work yet. Its changes are shown here when one does.</p>
      </Empty>
    );
  }
  return <RunDiff key={chosen.run} task={task} run={chosen} works={works} />;
}

/** The latest run that handed in work; if none did, the latest that has ended. */
function handedIn(runs: readonly Run[]): Run | undefined {
  const works = worksOf(runs);
  return works.find(({ outcome }) => outcome === "submitted") ?? works.find(hasEnded);
}

/** The run to show first: the work to be judged, or else the last attempt that has ended. */
export function telling(task: Task, runs: readonly Run[]): Run | undefined {
  const isJudged = task.queue === "provisional" || task.queue === "done";
  return isJudged ? handedIn(runs) : worksOf(runs).find(hasEnded);
}

const worksOf = (runs: readonly Run[]) => runs.filter(({ kind }) => kind === "work");
const hasEnded = ({ ended_at }: Run) => Boolean(ended_at);

function RunDiff({ task, run, works }: { task: Task; run: Run; works: Run[] }) {
  const query = useQuery(runQuery(task.id, run.run));
  return (
    <section aria-labelledby="diff">
      <h2 id="diff" class="unseen">
        Diff
      </h2>
      <Loaded query={query}>
        {(details) => <Patch task={task} run={run} details={details} works={works} />}
      </Loaded>
    </section>
  );
}

function Patch(props: { task: Task; run: Run; details: RunDetails; works: Run[] }) {
  const { task, run, details, works } = props;
  const result = resultOf(details);
  const files = useMemo(() => parsePatch(result.patch), [result.patch]);
  const compared = works.find((other) => other.run === Number(parameters.value.get("with")));
  return (
    <>
      <Bar run={run} works={works} compared={compared} result={result} files={files} />
      {run !== handedIn(works) && (
        <p class="problem">
          This is what {runName(run)} handed in. A verdict is about the latest work, not about this.
        </p>
      )}
      {result.isPatchCut && (
        <p class="problem">
          The patch was too long and is cut: what is missing is in the branch{" "}
          {result.branch && <code>{result.branch}</code>}.
        </p>
      )}
      {files.length === 0 ? (
        <NoFiles result={result} />
      ) : compared ? (
        <Compared task={task} files={files} compared={compared} />
      ) : (
        <DiffFiles taskId={task.id} files={files} />
      )}
    </>
  );
}

/** Marks the files that are as they were in another run. */
function Compared(props: { task: Task; files: PatchFile[]; compared: Run }) {
  const { task, files, compared } = props;
  const other = useQuery(runQuery(task.id, compared.run));
  const patch = resultOf(other.data.value).patch;
  const comparison: Comparison | undefined = useMemo(
    () => (other.data.value ? comparisonOf(files, parsePatch(patch)) : undefined),
    [files, patch, other.data.value],
  );
  return (
    <>
      {comparison && (
        <p class="dim">
          Beside {runName(compared)}: {counted(comparison.changed, "file")} differ
          {comparison.gone.length > 0 && `; no longer changed: ${comparison.gone.join(", ")}`}.
        </p>
      )}
      <DiffFiles
        key={compared.run}
        taskId={task.id}
        files={files}
        states={comparison?.states}
        comparedName={runName(compared)}
      />
    </>
  );
}

const runName = ({ run, attempt }: Run) => (attempt ? `attempt ${attempt}` : `run ${run}`);

/** Chooses the run, what it is compared with, and how its lines are shown. */
function Bar(props: {
  run: Run;
  works: Run[];
  compared: Run | undefined;
  result: Result;
  files: PatchFile[];
}) {
  const { run, works, compared, result, files } = props;
  const earlier = works.filter((other) => other.run < run.run && other.outcome === "submitted");
  const sum = (count: (file: PatchFile) => number) =>
    files.reduce((total, file) => total + count(file), 0);
  return (
    <div class="bar">
      {works.length > 1 && (
        <label class="inline">
          Work of{" "}
          <select
            value={run.run}
            onChange={(event) => setParameters({ run: event.currentTarget.value, with: undefined })}
          >
            {works.map((other) => (
              <option key={other.run} value={other.run}>
                {runName(other)}, {other.verdict ?? other.outcome}
              </option>
            ))}
          </select>
        </label>
      )}
      {earlier.length > 0 && (
        <label class="inline">
          Beside{" "}
          <select
            value={compared?.run ?? ""}
            onChange={(event) => setParameters({ with: event.currentTarget.value })}
          >
            <option value="">nothing</option>
            {earlier.map((other) => (
              <option key={other.run} value={other.run}>
                {runName(other)}
              </option>
            ))}
          </select>
        </label>
      )}
      <span>
        <Changes
          insertions={result.insertions ?? sum(({ insertions }) => insertions)}
          deletions={result.deletions ?? sum(({ deletions }) => deletions)}
          filesChanged={result.filesChanged ?? files.length}
        />
      </span>
      <span class="buttons wide-only">
        <Button kind="quiet" aria-pressed={!isSplit.value} onClick={() => showSplit(false)}>
          Unified
        </Button>
        <Button kind="quiet" aria-pressed={isSplit.value} onClick={() => showSplit(true)}>
          Side by side
        </Button>
      </span>
    </div>
  );
}

function NoFiles({ result }: { result: Result }) {
  if (result.patch) {
    return (
      <>
        <p>The patch cannot be read as a diff of git. This is its text:</p>
        <pre class="tail">{result.patch.slice(0, 20_000)}</pre>
      </>
    );
  }
  return (
    <Empty>
      <p>
        {result.filesChanged
          ? "The run has handed in no patch. What it changed is in its branch."
          : "The run has changed nothing."}{" "}
        {result.branch && <code>{result.branch}</code>}
      </p>
    </Empty>
  );
}
