/** The panel of a change of many tasks: what it will do, how far it is, and what was refused. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { Button, Link, copy } from "../ui/basics";
import { End } from "../ui/form";
import { Panel } from "../ui/panel";
import { Problem } from "../ui/problem";
import { Progress } from "../ui/progress";
import { counted } from "../ui/words";
import { refusalsOf, type Plan } from "./changes";
import { Fields } from "./fields";
import { isJobOpen, job, type Job } from "./job";
import { taskPath } from "../state/paths";

/** The most refusals that are shown. The whole list can be copied. */
const REFUSED_MAX = 200;

/** Shows the panel of the current job. `onEnd` is called when tasks were changed. */
export function JobPanel({ onEnd }: { onEnd: () => void }) {
  const current = job.value;
  const phase = current?.phase.value;
  useEffect(() => {
    if (phase === "ended") onEnd();
  }, [phase]);
  if (!current || !isJobOpen.value) return null;
  const close = () => {
    isJobOpen.value = false;
    if (phase === "running") return;
    current.stop();
    job.value = undefined;
  };
  return (
    <Panel key={phase === "ready" ? "ready" : "other"} title={titleOf(current)} onClose={close}>
      <div class="job">
        <Body current={current} close={close} />
      </div>
    </Panel>
  );
}

function titleOf(current: Job): string {
  const count = current.found.value;
  const what = current.phase.value === "counting" ? "tasks" : counted(count, "task");
  return `${current.change.label}: ${what}`;
}

function Body({ current, close }: { current: Job; close: () => void }) {
  if (current.problem.value) return <Problem text={current.problem.value} />;
  switch (current.phase.value) {
    case "counting":
      return <p role="status">Counting: {counted(current.found.value, "task")} found…</p>;
    case "ready":
      return <Ready current={current} close={close} />;
    case "running":
      return <Running current={current} />;
    case "ended":
      return <Ended current={current} close={close} />;
  }
}

/** What the job will do, before it is done. */
function Ready({ current, close }: { current: Job; close: () => void }) {
  const plan = current.plan.value;
  const { change } = current;
  const submit = (event: Event) => {
    event.preventDefault();
    void current.start();
  };
  const count = plan.sent.length;
  return (
    <form class="form" onSubmit={submit}>
      <Foreseen current={current} plan={plan} />
      <Fields current={current} onSubmit={submit} />
      <End
        kind={change.name === "cancel" ? "danger" : "primary"}
        submit={`${change.label} ${counted(count, "task")}`}
        isReady={count > 0 && !current.isIncomplete}
        onCancel={close}
      />
    </form>
  );
}

function Foreseen({ current, plan }: { current: Job; plan: Plan }) {
  const refused = plan.refused.length;
  return (
    <div role="status">
      <p>
        This changes <strong>{counted(plan.sent.length, "task")}</strong>.{" "}
        {current.change.effect}
      </p>
      {plan.held > 0 && (
        <p class="is-needs-you">
          <span aria-hidden="true">▲</span> {counted(plan.held, "of them is", "of them are")} held
          by agents, whose work in progress is given up.
        </p>
      )}
      {plan.same > 0 && (
        <p class="dim">{counted(plan.same, "task is", "tasks are")} as wanted already.</p>
      )}
      {refused > 0 && (
        <>
          <p>{counted(refused, "task would be refused:", "tasks would be refused:")}</p>
          <ul>
            {refusalsOf(plan).map(([why, count]) => (
              <li key={why}>
                {count.toLocaleString("en")} {why}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Running({ current }: { current: Job }) {
  const { changed, refused } = current.progress.value;
  const [doing, did] = current.change.words;
  const total = current.sent.length;
  const answered = changed + refused.length;
  const percent = total > 0 ? (answered / total) * 100 : 100;
  return (
    <>
      <p>
        {current.isStopped ? "Stopping" : doing}: {answered.toLocaleString("en")} of{" "}
        {counted(total, "task")}
      </p>
      <Progress percent={percent} label={doing} />
      <Numbers>
        {changed.toLocaleString("en")} {did} · {refused.length.toLocaleString("en")} refused
      </Numbers>
      <div class="buttons">
        <Button kind="danger" disabled={current.isStopped} onClick={() => current.stop()}>
          Stop
        </Button>
      </div>
    </>
  );
}

function Numbers({ children }: { children: ComponentChildren }) {
  return <p class="dim">{children}</p>;
}

function Ended({ current, close }: { current: Job; close: () => void }) {
  const { changed, refused, halt } = current.progress.value;
  const [, did] = current.change.words;
  const { left } = current;
  return (
    <>
      <p role="status">
        <strong>
          {counted(changed, "task")} {did}
        </strong>
        , {refused.length.toLocaleString("en")} refused
        {left > 0 && `, ${left.toLocaleString("en")} left as they were`}.
      </p>
      <Problem text={halt && `Nothing more was sent: ${halt}`} />
      <RefusedList current={current} />
      <div class="buttons">
        <Button kind="primary" onClick={close}>
          Close
        </Button>
      </div>
    </>
  );
}

/** What was refused, by the server or because of its state, and why. */
function RefusedList({ current }: { current: Job }) {
  const byServer = current.progress.value.refused.map(({ item, text }) => ({ task: item, text }));
  const foreseen = current.plan.value.refused.map(({ task, why }) => ({
    task,
    text: `not sent: ${why}`,
  }));
  const all = [...byServer, ...foreseen];
  if (all.length === 0) return null;
  const text = all.map((refusal) => `${refusal.task.id}\t${refusal.text}`).join("\n");
  const rest = all.length - REFUSED_MAX;
  return (
    <section aria-labelledby="refused">
      <h3 id="refused">
        Not changed <span class="count">{all.length.toLocaleString("en")}</span>{" "}
        <Button kind="quiet" onClick={() => void copy(text)}>
          copy the list
        </Button>
      </h3>
      <ul class="rows">
        {all.slice(0, REFUSED_MAX).map(({ task, text: why }) => (
          <li key={task.id} class="row">
            <Link class="title" to={taskPath(task.id)}>
              {task.title || task.id}
            </Link>{" "}
            <span class="dim">{why}</span>
          </li>
        ))}
      </ul>
      {rest > 0 && <p class="dim">and {rest.toLocaleString("en")} more, which the list has.</p>}
    </section>
  );
}
