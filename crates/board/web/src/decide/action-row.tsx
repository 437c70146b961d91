/** A row about a question or a proposal, which is answered in place. */

import { useState } from "preact/hooks";

import type { Action } from "../api/types";
import { canDecide } from "../state/session";
import { taskPath } from "../state/paths";
import { Ago, Button, Link, Shape } from "../ui/basics";
import { useFirstFocus } from "../ui/focus";
import { End, isSend } from "../ui/form";
import { Row, type Cursor } from "../ui/rows";
import { answered, answering, approve, deny, end, isQuestion } from "./answers";

/** Shows the row. `isOnTask`: on the page of the task that it is about. */
export function ActionRow(props: { cursor: Cursor; action: Action; isOnTask?: boolean }) {
  const { cursor, action, isOnTask = false } = props;
  const { isBusy = false, problem } = answered.value.get(action.id) ?? {};
  return (
    <Row cursor={cursor} id={action.id} class={isBusy ? "is-gone" : ""}>
      <div class="line">
        <Shape kind="needs-you" />
        <span class="word">{isQuestion(action) ? "question" : "proposal"}</span>
        <span class="title">{action.label}</span>
        <span class="dim">
          {action.proposed_by} · <Ago at={action.proposed_at} />
        </span>
        {action.entity_type === "task" && !isOnTask && (
          <Link to={taskPath(action.entity_id)}>show the task</Link>
        )}
        {canDecide.value && <Choices action={action} isBusy={isBusy} />}
      </div>
      {isMore(action) && <p class="prose sub">{action.description}</p>}
      {problem && (
        <p class="notice is-refused" role="alert">
          {problem}
        </p>
      )}
      {answering.value === action.id && canDecide.value && (
        <Answer isBusy={isBusy} onAnswer={(text) => void end(action, "complete", text)} />
      )}
    </Row>
  );
}

/** Whether the description says more than the label, which is its beginning where an agent asks. */
function isMore({ label, description }: Action): boolean {
  return Boolean(description) && description?.trim() !== label.trim();
}

function Choices({ action, isBusy }: { action: Action; isBusy: boolean }) {
  if (isQuestion(action)) {
    return (
      <span class="buttons">
        <Button isBusy={isBusy} onClick={() => (answering.value = action.id)}>
          Answer…
        </Button>
      </span>
    );
  }
  return (
    <span class="buttons">
      <Button isBusy={isBusy} onClick={() => approve(action)}>
        Approve
      </Button>
      <Button isBusy={isBusy} onClick={() => deny(action)}>
        Deny
      </Button>
    </span>
  );
}

function Answer({ isBusy, onAnswer }: { isBusy: boolean; onAnswer: (text: string) => void }) {
  const [text, setText] = useState("");
  const field = useFirstFocus<HTMLTextAreaElement>();
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim()) onAnswer(text.trim());
  };
  return (
    <form class="form" onSubmit={submit}>
      <label>
        Your answer, which the agent reads
        <textarea
          ref={field}
          rows={3}
          value={text}
          required
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isSend(event)) submit(event);
            if (event.key === "Escape") answering.value = undefined;
          }}
        />
      </label>
      <End
        submit="Send the answer"
        isBusy={isBusy}
        isReady={text.trim() !== ""}
        onCancel={() => (answering.value = undefined)}
      />
    </form>
  );
}
