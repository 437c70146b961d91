/** The head of the page: what the task is, how it stands, and what happens next. */

import { useState } from "preact/hooks";

import type { Task, Why } from "../../api/types";
import { Blocker } from "../../decide/blocker";
import type { Titles } from "../../decide/wait-reason";
import { useKeys } from "../../keys/keys";
import { instant, now } from "../../state/clock";
import { navigate } from "../../state/location";
import { queryNamed } from "../../state/queries";
import { canDecide } from "../../state/session";
import { placeIn, trail } from "../../state/trail";
import { flowPath, projectPath, taskPath } from "../../state/paths";
import { Ago, Button, copy, Link, State, Until } from "../../ui/basics";
import { Said } from "../../ui/said";
import { isBeingReviewed, reviewQuery } from "../now/queries";
import { EditForm } from "./edit";
import { nextOf } from "./next";

/** Shows the head. */
export function Head(props: {
  task: Task;
  why: Why | undefined;
  titles: Titles;
  hasEditKey: boolean;
}) {
  const { task, hasEditKey } = props;
  const [isEdited, setEdited] = useState(false);
  const canEdit = canDecide.value && hasEditKey;
  useKeys(
    canEdit
      ? [{ keys: "e", label: "Edit the task", run: () => setEdited(true), group: "Task" }]
      : [],
  );
  return (
    <header class="about">
      <Neighbours id={task.id} />
      {isEdited ? (
        <>
          <h1 class="unseen">{task.title || task.id}</h1>
          <EditForm task={task} onClose={() => setEdited(false)} />
        </>
      ) : (
        <div class="about-title">
          <h1>{task.title || task.id}</h1>
          {canDecide.value && (
            <Button kind="quiet" onClick={() => setEdited(true)}>
              Edit
            </Button>
          )}
        </div>
      )}
      <p class="about-state">
        <State queue={task.queue} /> <NextSentence {...props} />
      </p>
      <Marks task={task} />
    </header>
  );
}

/** What happens next, with its times. */
function NextSentence(props: { task: Task; why: Why | undefined; titles: Titles }) {
  const { task, why, titles } = props;
  const next = nextOf(task, why);
  return (
    <span>
      {next.taskId ? (
        <Blocker id={next.taskId} words="Waits for" text={next.text} titles={titles} />
      ) : (
        <Said text={next.text} />
      )}
      {next.since && (
        <>
          , for <Ago at={next.since} suffix="" />
        </>
      )}
      {next.until && (
        <> {instant(next.until) > now.value ? <Until at={next.until} /> : "in a moment"}</>
      )}
    </span>
  );
}

/** The small facts under the title. */
function Marks({ task }: { task: Task }) {
  const [isCopied, setCopied] = useState(false);
  const copyId = () => void copy(task.id).then(setCopied);
  return (
    <ul class="marks" aria-label="Facts">
      {task.priority && <li title="Priority">{task.priority}</li>}
      {task.role && <li title="Role">{task.role}</li>}
      {task.project_id && (
        <li>
          project{" "}
          <Link to={projectPath(task.project_id)}>{task.project_id}</Link>
        </li>
      )}
      {task.flow && (
        <li>
          flow <Link to={flowPath(task.flow)}>{task.flow}</Link>
        </li>
      )}
      <li>
        from branch <code>{task.branch}</code>
      </li>
      <li>
        <code>{task.id}</code>{" "}
        <Button kind="quiet" class="small" aria-label="Copy the id" onClick={copyId}>
          {isCopied ? "copied" : "copy"}
        </Button>
      </li>
      <li>
        created <Ago at={task.created_at} />
      </li>
    </ul>
  );
}

/** The tasks before and after it in the list that was shown last, else among those in review. */
function Neighbours({ id }: { id: string }) {
  const reviews = queryNamed(reviewQuery).data.value?.tasks ?? [];
  const toReview = reviews.filter((task) => !isBeingReviewed(task)).map((task) => task.id);
  const came = trail.value && placeIn(trail.value.ids, id);
  const list = came ? trail.value! : { label: "the reviews", ids: toReview };
  const place = came ?? placeIn(toReview, id);
  const go = (to: string | undefined) => to && navigate(taskPath(to));
  useKeys([
    { keys: "[", label: "Previous task", run: () => go(place?.before), group: "Task" },
    { keys: "]", label: "Next task", run: () => go(place?.after), group: "Task" },
  ]);
  if (!place || list.ids.length < 2) return null;
  return (
    <nav class="neighbours dim" aria-label={`Tasks of ${list.label}`}>
      <Neighbour id={place.before} name="Previous task ([)" sign="←" />
      <span>
        {place.number} of {list.ids.length} in {list.label}
      </span>
      <Neighbour id={place.after} name="Next task (])" sign="→" />
    </nav>
  );
}

function Neighbour({ id, name, sign }: { id: string | undefined; name: string; sign: string }) {
  if (id === undefined) return <span class="neighbour" aria-hidden="true" />;
  return (
    <Link class="neighbour" to={taskPath(id)} aria-label={name} title={name}>
      {sign}
    </Link>
  );
}
