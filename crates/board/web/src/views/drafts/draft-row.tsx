/** A draft: its text, what became of it, and what can be done with it. */

import { signal } from "@preact/signals";

import { deleteDraft, patchDraft } from "../../api/endpoints";
import type { Draft } from "../../api/types";
import { navigate } from "../../state/location";
import { queryNamed } from "../../state/queries";
import { canDecide } from "../../state/session";
import { draftPath, projectPath, taskPath } from "../../state/paths";
import { Confirmed, useAttempt } from "../../ui/attempt";
import { Ago, Button, Link } from "../../ui/basics";
import { Problem } from "../../ui/problem";
import { Row, type Cursor } from "../../ui/rows";
import { Status } from "../projects/status";
import { DraftForm } from "./draft-form";
import { bodyOf, fieldsOf, parted, tagsOf } from "./fields";
import { draftsQuery } from "./queries";

/** The draft that is edited in its place. */
export const editing = signal<number | undefined>(undefined);

/** Shows the row. */
export function DraftRow({ cursor, draft }: { cursor: Cursor; draft: Draft }) {
  const { title, rest } = parted(draft.title);
  const isEdited = editing.value === draft.id && canDecide.value;
  return (
    <Row cursor={cursor} id={String(draft.id)}>
      <div class="line">
        <Status status={draft.status} />
        <Link class="title" to={draftPath(String(draft.id))}>
          {title}
        </Link>
        <span class="dim">
          {draft.author}
          {draft.domain && ` · ${draft.domain}`} · <Ago at={draft.updated_at} />
        </span>
        {tagsOf(draft).map((tag) => (
          <span key={tag} class="draft-tag">
            {tag}
          </span>
        ))}
        <Became draft={draft} />
        {canDecide.value && !isEdited && <Choices draft={draft} />}
      </div>
      {rest && !isEdited && <p class="prose sub">{rest}</p>}
      {isEdited && (
        <DraftForm
          start={fieldsOf(draft)}
          submit="Save"
          onSubmit={async (fields) => {
            const changed = await patchDraft(String(draft.id), bodyOf(fields));
            queryNamed(draftsQuery).patch((list) => ({
              ...list,
              drafts: list.drafts.map((old) => (old.id === changed.id ? changed : old)),
            }));
          }}
          onClose={() => (editing.value = undefined)}
        />
      )}
    </Row>
  );
}

/** The task or the project that the draft became, or belongs to. */
function Became({ draft: { linked_task_id: task, linked_project_id: project } }: { draft: Draft }) {
  return (
    <>
      {task && <Link to={taskPath(task)}>its task</Link>}
      {project && <Link to={projectPath(project)}>its project</Link>}
    </>
  );
}

function Choices({ draft }: { draft: Draft }) {
  const attempt = useAttempt();
  const discard = () =>
    void attempt.run(async () => {
      await deleteDraft(String(draft.id));
      queryNamed(draftsQuery).patch((list) => ({
        ...list,
        drafts: list.drafts.filter((other) => other.id !== draft.id),
      }));
    });
  const page = draftPath(String(draft.id));
  const isLinked = draft.linked_task_id !== null || draft.linked_project_id !== null;
  return (
    <>
      <span class="buttons">
        <Button onClick={() => (editing.value = draft.id)}>Edit</Button>
        {!isLinked && (
          <>
            <Button onClick={() => navigate(`${page}?promote=task`)}>To a task…</Button>
            <Button onClick={() => navigate(`${page}?promote=project`)}>To a project…</Button>
          </>
        )}
        <Confirmed
          label="Discard…"
          question="Delete this draft for good?"
          yes="Delete"
          isDangerous
          isBusy={attempt.isBusy}
          onYes={discard}
        />
      </span>
      <Problem text={attempt.problem} />
    </>
  );
}
