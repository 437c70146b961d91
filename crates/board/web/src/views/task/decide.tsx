/** The panel of decisions about a task: the evidence, the verdict, and the other steps. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import type { Action, Run, RunDetails, Task } from "../../api/types";
import type { Step } from "../../api/endpoints";
import { ActionRow } from "../../decide/action-row";
import { NoticeLine } from "../../decide/notice";
import { RejectForm } from "../../decide/reject-form";
import { rejecting } from "../../decide/review-keys";
import { accept, noticeOf } from "../../state/decisions";
import { queryNamed, useQuery } from "../../state/queries";
import { canDecide } from "../../state/session";
import { placeIn, trail } from "../../state/trail";
import { taskPath } from "../../state/paths";
import { Button, Link } from "../../ui/basics";
import { useCursor } from "../../ui/rows";
import { actionsQuery, isBeingReviewed, reviewQuery } from "../now/queries";
import { Evidence } from "./evidence";
import { NoteList } from "./note-list";
import { clearNotes, notesOf, notesText } from "./notes";
import { StepForm } from "./step-form";
import { stepsOf } from "./steps";
import { Working } from "./working";

/** A verdict that was given on this page: its words, and the version of the task after it. */
export interface Verdict {
  word: string;
  version: number;
}

const LABELS: Record<Step, string> = {
  accept: "Accept",
  reject: "Reject…",
  requeue: "Requeue…",
  cancel: "Cancel…",
  retry: "Retry…",
  "force-queue": "Move…",
};

/** Shows the panel. `onChanged` is called with the task after each step. */
export function Decide(props: {
  task: Task;
  /** The run whose work is to be judged, or the last attempt. */
  run: RunDetails | undefined;
  /** The run in progress. */
  running: Run | undefined;
  /** Whether the evidence is one line: above a diff or a log. */
  isShort: boolean;
  verdict: Verdict | undefined;
  onChanged: (task: Task) => void;
}) {
  const { task, run, running, isShort, verdict, onChanged } = props;
  const asked = useQuery(actionsQuery).data.value?.actions ?? [];
  const questions = asked.filter(({ entity_id }) => entity_id === task.id);
  const isReview = task.queue === "provisional";
  // While an agent works, or an answer is awaited, the last run is not shown.
  const isOther = !isReview && (running !== undefined || questions.length > 0);
  const evidence = isOther ? undefined : run;
  const notice = noticeOf(task);
  const needsYou = isReview || questions.length > 0;
  return (
    <section class="decide" aria-labelledby="decide">
      <h2 id="decide" class={needsYou ? "is-needs-you" : ""}>
        {isReview ? "To review" : questions.length > 0 ? "Needs you" : running ? "Now" : "Steps"}
      </h2>
      <Questions questions={questions} />
      {running && <Working task={task} run={running} />}
      {evidence && <Evidence task={task} run={evidence} isShort={isShort} />}
      <Steps task={task} onChanged={onChanged} />
      {notice?.kind !== "done" && <NoticeLine id={task.id} notice={notice} />}
      {verdict && <NextReview task={task} verdict={verdict} />}
    </section>
  );
}

function Questions({ questions }: { questions: Action[] }) {
  const cursor = useCursor(questions.map(({ id }) => id));
  if (questions.length === 0) return null;
  return (
    <ul class="rows">
      {questions.map((action) => (
        <ActionRow key={action.id} cursor={cursor} action={action} isOnTask />
      ))}
    </ul>
  );
}

/** The buttons, and the form of the step that was chosen. */
function Steps({ task, onChanged }: { task: Task; onChanged: (task: Task) => void }) {
  const chosen = useSignal<Step | undefined>(undefined);
  const notes = notesOf(task.id);
  const isBusy = noticeOf(task)?.kind === "pending";
  // An open form stays when another client decides first, so that its text is not lost.
  const isOpen = useRef(false);
  isOpen.current = rejecting.value === task.id && (isOpen.current || task.queue === "provisional");
  const isRejecting = isOpen.current;
  const steps = stepsOf(task);
  if (!canDecide.value) return <p class="dim">Your key may read, but not decide.</p>;
  const take = async (step: Step) => {
    rejecting.value = step === "reject" ? task.id : undefined;
    chosen.value = step === "accept" || step === "reject" ? undefined : step;
    if (step !== "accept") return;
    const changed = await accept(task);
    if (changed) onChanged(changed);
  };
  const close = () => (chosen.value = undefined);
  return (
    <>
      {notes.length > 0 && <NoteList taskId={task.id} notes={notes} />}
      {isRejecting ? (
        <RejectForm
          task={task}
          notes={notesText(notes)}
          onChanged={(changed) => {
            clearNotes(task.id);
            onChanged(changed);
          }}
        />
      ) : chosen.value && steps.includes(chosen.value) ? (
        <StepForm
          key={chosen.value}
          step={chosen.value}
          task={task}
          onClose={close}
          onChanged={(changed) => {
            close();
            onChanged(changed);
          }}
        />
      ) : (
        <div class="buttons">
          {steps.map((step, index) => (
            <Button
              key={step}
              kind={step === "accept" ? "primary" : index < 2 ? "plain" : "quiet"}
              isBusy={isBusy}
              title={KEYS[step]}
              onClick={() => void take(step)}
            >
              {LABELS[step]}
            </Button>
          ))}
        </div>
      )}
    </>
  );
}

const KEYS: Partial<Record<Step, string>> = { accept: "Key: a", reject: "Key: r" };

/** Shows the verdict, and gives the focus to the link to the next review. */
function NextReview({ task, verdict }: { task: Task; verdict: Verdict }) {
  const link = useRef<HTMLDivElement>(null);
  const reviews = queryNamed(reviewQuery).data.value?.tasks ?? [];
  const open = reviews.filter((other) => other.id !== task.id && !isBeingReviewed(other));
  const order = trail.value?.ids ?? [];
  const place = placeIn(order, task.id);
  const behind = place ? order.slice(place.number) : [];
  const next = open.find(({ id }) => behind.includes(id)) ?? open[0];
  // Before the next event, so that Enter opens the link as soon as it is seen.
  useLayoutEffect(() => link.current?.querySelector("a")?.focus(), [verdict.version]);
  return (
    <div class="next-review" ref={link} role="status">
      <p class="is-done">✓ {verdict.word}</p>
      {next ? (
        <p>
          Next review:{" "}
          <Link to={taskPath(next.id)}>{next.title || next.id}</Link>
        </p>
      ) : (
        <p>
          No other work waits for a review. <Link to="/">Go to Now</Link>
        </p>
      )}
    </div>
  );
}
