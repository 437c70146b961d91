/** A row about a question or a proposal, which is answered in place. */

import { signal } from "@preact/signals";
import { useState } from "preact/hooks";

import { endAction } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { Action } from "../api/types";
import { canDecide, userName } from "../state/session";
import { Ago, Button, Link, Shape } from "../ui/basics";
import { Row, type Cursor } from "../ui/rows";

/** The action whose answer is being written. */
export const answering = signal<string | undefined>(undefined);

/** Shows the row. */
export function ActionRow({ cursor, action }: { cursor: Cursor; action: Action }) {
  const [notice, setNotice] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const isQuestion = action.action_type === "question";
  const end = async (how: "complete" | "fail" | "execute", result?: string) => {
    setBusy(true);
    setNotice(undefined);
    try {
      await endAction(action.id, how, { by: userName.value, result: result ?? null });
      answering.value = undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setNotice(error.message);
      setBusy(false);
    }
  };
  return (
    <Row cursor={cursor} id={action.id} class={isBusy ? "is-gone" : ""}>
      <div class="line">
        <Shape kind="needs-you" />
        <span class="word">{isQuestion ? "question" : "proposal"}</span>
        <span class="title">{action.label}</span>
        <span class="dim">
          {action.proposed_by} · <Ago at={action.proposed_at} />
        </span>
        {action.entity_type === "task" && (
          <Link to={`/tasks/${encodeURIComponent(action.entity_id)}`}>show the task</Link>
        )}
        {canDecide.value && (
          <span class="buttons">
            {isQuestion ? (
              <Button isBusy={isBusy} onClick={() => (answering.value = action.id)}>
                Answer…
              </Button>
            ) : (
              <>
                <Button isBusy={isBusy} onClick={() => void end("execute")}>
                  Approve
                </Button>
                <Button isBusy={isBusy} onClick={() => void end("fail", "denied")}>
                  Deny
                </Button>
              </>
            )}
          </span>
        )}
      </div>
      {action.description && <p class="prose sub">{action.description}</p>}
      {notice && (
        <p class="notice is-refused" role="alert">
          {notice}
        </p>
      )}
      {answering.value === action.id && <Answer onAnswer={(text) => void end("complete", text)} />}
    </Row>
  );
}

function Answer({ onAnswer }: { onAnswer: (text: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim()) onAnswer(text.trim());
  };
  return (
    <form class="form" onSubmit={submit}>
      <label>
        Your answer, which the agent reads
        <textarea
          ref={(field) => field?.focus()}
          rows={3}
          value={text}
          required
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
          }}
        />
      </label>
      <div class="buttons">
        <Button kind="primary" type="submit" disabled={!text.trim()}>
          Send the answer
        </Button>
        <Button onClick={() => (answering.value = undefined)}>Not now</Button>
      </div>
    </form>
  );
}
