/** The line below the table: how many tasks match, and what can be done with those selected. */

import { changes, type ChangeName } from "../../bulk/changes";
import { isJobOpen, job } from "../../bulk/job";
import { canDecide } from "../../state/session";
import { Button } from "../../ui/basics";
import { counted } from "../../ui/words";
import type { Rows } from "./list";
import type { Selection } from "./selection";

/** Shows the line. */
export function Foot(props: {
  list: Rows;
  selection: Selection;
  onChange: (name: ChangeName) => void;
}) {
  const { list, selection } = props;
  const total = list.total.value;
  if (total === undefined) return <footer class="task-foot" />;
  const picked = selection.count(total);
  const isAll = selection.picked.value.kind === "all";
  const tasks = (list.isPartial.value ? "at least " : "") + counted(total, "task");
  return (
    <footer class="task-foot" aria-label="What is selected">
      <span role="status">
        {picked > 0 ? `${picked.toLocaleString("en")} of ${tasks} selected` : tasks}
      </span>
      {list.isWeary.value && (
        <Button kind="quiet" onClick={() => list.lookFurther()}>
          Look further among finished tasks
        </Button>
      )}
      {canDecide.value && total > 0 && !isAll && (
        <Button kind="quiet" onClick={() => selection.all()}>
          {picked > 0 ? "All" : "Select all"} {total.toLocaleString("en")}
        </Button>
      )}
      {picked > 0 && (
        <>
          <Button kind="quiet" aria-label="Select none" onClick={() => selection.clear()}>
            None
          </Button>
          <span class="buttons">
            {changes.map(({ name, label }) => (
              <Button key={name} onClick={() => props.onChange(name)}>
                {label}…
              </Button>
            ))}
          </span>
        </>
      )}
      <JobLine />
    </footer>
  );
}

/** How far a job is whose panel is closed. */
function JobLine() {
  const current = job.value;
  if (!current || isJobOpen.value) return null;
  const { phase, progress } = current;
  const { changed, refused } = progress.value;
  const [doing, did] = current.change.words;
  const isRunning = phase.value === "running";
  const text = isRunning
    ? `${doing}: ${changed + refused.length} of ${current.sent.length}`
    : `${changed} ${did}, ${refused.length} refused`;
  return (
    <Button class="job-line" onClick={() => (isJobOpen.value = true)}>
      {text}
    </Button>
  );
}
