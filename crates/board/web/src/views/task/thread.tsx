/** What is said about a task, and the form that writes to its agent. */

import { useState } from "preact/hooks";

import { createMessage } from "../../api/endpoints";
import type { Message, Task } from "../../api/types";
import { queryNamed, useQuery } from "../../state/queries";
import { canCreate, scope, userName } from "../../state/session";
import { useAttempt } from "../../ui/attempt";
import { Ago, Button, Empty } from "../../ui/basics";
import { isSend } from "../../ui/form";
import { Loaded } from "../../ui/loading";
import { Problem } from "../../ui/problem";
import { counted } from "../../ui/words";
import { threadQuery } from "./queries";

/** How many of the latest messages are shown at first. */
const SHOWN = 100;

/** Shows the thread. */
export function Thread({ task }: { task: Task }) {
  const query = useQuery(threadQuery(task.id));
  return (
    <section aria-labelledby="thread">
      <h2 id="thread" class="unseen">
        Thread
      </h2>
      <Loaded query={query}>
        {({ messages }) => <Messages task={task} messages={messages} />}
      </Loaded>
      {canCreate.value && <Write task={task} />}
    </section>
  );
}

function Messages({ task, messages }: { task: Task; messages: Message[] }) {
  const [isWhole, showWhole] = useState(false);
  const hidden = isWhole ? 0 : Math.max(0, messages.length - SHOWN);
  if (messages.length === 0) {
    return (
      <Empty>
        <p>
          Nothing was said yet. Reasons of rejections, questions and answers are shown here, and
          what you write to the agent that works on {task.title || task.id}.
        </p>
      </Empty>
    );
  }
  return (
    <>
      {hidden > 0 && (
        <Button kind="quiet" onClick={() => showWhole(true)}>
          Show {counted(hidden, "earlier message")}
        </Button>
      )}
      <ol class="thread">
        {messages.slice(hidden).map((message) => (
          <li
            key={message.id}
            class={`message is-${message.type === "rejection" ? "rejection" : "other"}`}
          >
            <p class="message-head">
              <strong>{message.from_actor}</strong>
              {message.to_actor && <span> to {message.to_actor}</span>}
              <span class="dim">
                {message.type !== "comment" && `${message.type.replaceAll("_", " ")} · `}
                <Ago at={message.created_at} />
              </span>
            </p>
            <p class="prose">{message.content}</p>
          </li>
        ))}
      </ol>
    </>
  );
}

/** Writes to the agent that holds the task, or to people. */
function Write({ task }: { task: Task }) {
  const isHeld =
    task.queue === "claimed" || (task.claimed_by !== null && task.claimed_by !== undefined);
  const [text, setText] = useState("");
  const [isToPeople, setToPeople] = useState(false);
  const { isBusy, problem, run } = useAttempt();
  const toAgent = isHeld && !isToPeople;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!text.trim() || isBusy) return;
    const message = {
      task_id: task.id,
      scope: scope.value,
      from_actor: userName.value,
      type: "comment",
      content: text.trim(),
      to_actor: toAgent ? "agent" : null,
    };
    if (!(await run(() => createMessage(message)))) return;
    setText("");
    queryNamed(threadQuery(task.id)).invalidate();
  };
  return (
    <form class="form" onSubmit={submit}>
      <label>
        {toAgent ? `To ${task.claimed_by ?? "the agent"}` : "For people who read this"}
        <textarea
          rows={3}
          value={text}
          required
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isSend(event)) void submit(event);
          }}
        />
      </label>
      {isHeld && (
        <label class="check">
          <input
            type="checkbox"
            checked={isToPeople}
            onChange={(event) => setToPeople(event.currentTarget.checked)}
          />{" "}
          Not for the agent
        </label>
      )}
      <p class="dim">{hintOf(task, toAgent, isHeld)}</p>
      <Problem text={problem} />
      <div class="buttons">
        <Button kind="primary" type="submit" isBusy={isBusy} disabled={!text.trim()}>
          Send
        </Button>
      </div>
    </form>
  );
}

/** Whether an agent will read what is written. */
function hintOf(task: Task, toAgent: boolean, isHeld: boolean): string {
  if (toAgent) {
    const agent = task.claimed_by ?? "The agent";
    return `${agent} is given it when it renews its lease, at a third of the lease or earlier.`;
  }
  if (isHeld) return "No agent is given it.";
  return (
    "No agent holds the task, and the next one is not given it. What the next attempt must know " +
    "belongs into the text of the task, or into the reason of a rejection."
  );
}
