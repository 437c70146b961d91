/** The state of a task in one line: why it waits, how far it is, or what it did. */

import type { ListedTask } from "../../api/types";
import { Digest } from "../../decide/review-row";
import { WaitReason, type Titles } from "../../decide/wait-reason";
import { noticeOf } from "../../state/decisions";
import { latestOf } from "../../state/passing";
import { Percent } from "../../ui/progress";
import { usageWords } from "../../ui/words";

/** Shows the line. For a task that is being decided, it shows the decision. */
export function Status({ task, titles }: { task: ListedTask; titles: Titles }) {
  const notice = noticeOf(task);
  if (notice) {
    return (
      <span class={notice.kind === "refused" ? "is-failed" : "is-done"} role="status">
        {notice.text}
      </span>
    );
  }
  if (task.cancel_requested_at) {
    return <span class="is-failed">to be cancelled when its agent has stopped</span>;
  }
  switch (task.queue) {
    case "claimed":
      return <Running task={task} />;
    case "done":
      return <Digest task={task} />;
    case "failed":
    case "cancelled":
      return <Ended task={task} />;
    case "provisional":
      if (task.waiting?.code !== "held") return <Digest task={task} />;
  }
  // It is not known yet.
  if (task.waiting === undefined) return null;
  return <WaitReason waiting={task.waiting} titles={titles} />;
}

function Running({ task }: { task: ListedTask }) {
  const run = task.last_run?.outcome === "running" ? task.last_run : undefined;
  const { progress, usage } = latestOf(task.id, run?.run ?? task.run, run);
  const used = usageWords(usage);
  return (
    <>
      <Percent percent={progress?.percent} label={`Progress of ${task.title ?? task.id}`} />
      {progress?.message && <span>{progress.message}</span>}
      {used && <span class="dim">{used}</span>}
    </>
  );
}

/** How a task ended that was not done. */
function Ended({ task }: { task: ListedTask }) {
  const run = task.last_run;
  const text = [run?.reason?.replaceAll("_", " "), run?.message].filter(Boolean).join(": ");
  return <span class={task.queue === "failed" ? "is-failed" : "dim"}>{text}</span>;
}
