/** The page of a task: its story, what there is to decide, its diff and its log. */

import "./task.css";
import "./diff.css";
import "./log.css";

import { useState } from "preact/hooks";

import type { Run, Task, TaskList } from "../../api/types";
import { useReviewKeys } from "../../decide/review-keys";
import { titlesOf } from "../../decide/wait-reason";
import { useTitle } from "../../shell/title";
import { flowsQuery } from "../../state/lists";
import { queryNamed, useQuery, type ReadQuery } from "../../state/queries";
import { Loaded } from "../../ui/loading";
import { stateWords } from "../../ui/words";
import { reviewQuery } from "../now/queries";
import { Decide, type Verdict } from "./decide";
import { DiffTab, telling } from "./diff-tab";
import { Facts } from "./facts";
import { Head } from "./head";
import { Links } from "./links";
import { LogTab } from "./log-tab";
import { Missing } from "./missing";
import {
  blockersOf,
  dependentsQuery,
  historyQuery,
  invalidateTask,
  noRunQuery,
  openQuery,
  runQuery,
  runsQuery,
  taskQuery,
  threadQuery,
  whyQuery,
} from "./queries";
import { openQueues } from "./steps";
import { Runs } from "./runs";
import { currentTab, Tabs, useTabKeys, type Tab } from "./tabs";
import { Thread } from "./thread";
import { Timeline } from "./timeline";
import { WhyPanel } from "./why";

/** Shows the page. */
export function TaskView({ id }: { id: string }) {
  const query = useQuery(taskQuery(id));
  const task = query.data.value;
  const isGone = query.error.value?.status === 404;
  useTitle(isGone ? `No task ${id}` : (task?.title ?? id));
  if (isGone) return <Missing id={id} />;
  return (
    <div class="view task">
      <Loaded query={query} rows={6}>
        {(data) => <TaskPage task={data} query={query} />}
      </Loaded>
    </div>
  );
}

function TaskPage({ task, query }: { task: Task; query: ReadQuery<Task> }) {
  const tab = currentTab();
  const why = useQuery(whyQuery(task.id, blockersOf(task)));
  const open = useOpenTasks();
  const titles = titlesOf(open?.tasks);
  const dependents = useQuery(dependentsQuery(task.id)).data.value;
  const runs = useQuery(runsQuery(task.id)).data.value?.runs ?? [];
  const last = telling(task, runs);
  const work = useQuery(last ? runQuery(task.id, last.run) : noRunQuery).data.value;
  const { verdict, onChanged } = useVerdict(task, query);
  useReviewKeys(task, onChanged);
  useTabKeys(task.id);
  const isWide = tab === "diff" || tab === "log";
  return (
    <>
      <Head task={task} why={why.data.value} titles={titles} hasEditKey={tab !== "log"} />
      <div class={`task-grid ${isWide ? "is-wide" : ""}`}>
        <aside class="task-decide" aria-label="To decide">
          <Decide
            task={task}
            run={work}
            running={runs.find(({ outcome }) => outcome === "running")}
            isShort={isWide}
            verdict={verdict}
            onChanged={onChanged}
          />
        </aside>
        <div class="task-main">
          <Tabs task={task} tab={tab} work={work} runs={runs} />
          <Main tab={tab} task={task} runs={runs} />
        </div>
        {!isWide && (
          <aside class="task-rest" aria-label="About the task">
            <Loaded query={why} rows={1}>
              {(data) => <WhyPanel task={task} why={data} titles={titles} />}
            </Loaded>
            <Links
              task={task}
              why={why.data.value}
              open={open?.tasks ?? []}
              dependents={dependents}
            />
            <Facts task={task} run={work} />
          </aside>
        )}
      </div>
    </>
  );
}

/** The newest tasks that are not finished. */
function useOpenTasks(): TaskList | undefined {
  const flows = useQuery(flowsQuery).data.value?.flows ?? [];
  return useQuery(openQuery(openQueues(flows).join(","))).data.value;
}

const VERDICTS: Record<string, string> = {
  done: "Accepted: the task is done",
  approved: "Accepted: the task goes on as approved",
  incoming: "Rejected: the next attempt is given the reason",
};

/** Keeps the verdict that was given here, and shows the task that a step has returned. */
function useVerdict(task: Task, query: ReadQuery<Task>) {
  useQuery(reviewQuery);
  const [verdict, setVerdict] = useState<Verdict | undefined>(undefined);
  const onChanged = (changed: Task) => {
    query.patch(() => changed);
    invalidateTask(task.id);
    queryNamed(reviewQuery).invalidate();
    const isVerdict = task.queue === "provisional" && changed.queue !== task.queue;
    const word = VERDICTS[changed.queue] ?? `Moved on: ${stateWords(changed.queue)}`;
    setVerdict(isVerdict ? { word, version: changed.version } : undefined);
  };
  // The last verdict is not shown while the task is to be reviewed again.
  const isOpen = task.queue === "provisional";
  return { verdict: isOpen ? undefined : verdict, onChanged };
}

function Main({ tab, task, runs }: { tab: Tab; task: Task; runs: readonly Run[] }) {
  switch (tab) {
    case "diff":
      return <DiffTab task={task} runs={runs} />;
    case "log":
      return <LogTab task={task} runs={runs} />;
    case "runs":
      return <Runs taskId={task.id} />;
    case "thread":
      return <Thread task={task} />;
    default:
      return <Overview task={task} />;
  }
}

function Overview({ task }: { task: Task }) {
  const history = useQuery(historyQuery(task.id));
  const runs = useQuery(runsQuery(task.id));
  const thread = useQuery(threadQuery(task.id));
  return (
    <>
      {task.content ? (
        <section aria-labelledby="text">
          <h2 id="text">Task</h2>
          <p class="prose content">{task.content}</p>
        </section>
      ) : (
        <p class="dim">The task has a title alone.</p>
      )}
      <Loaded query={history}>
        {(known) => (
          <Timeline
            taskId={task.id}
            history={known}
            runs={runs.data.value}
            thread={thread.data.value}
          />
        )}
      </Loaded>
    </>
  );
}
