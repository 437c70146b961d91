/** The view Drafts: ideas that may become tasks or projects. */

import { createDraft } from "../../api/endpoints";
import type { Draft } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { navigate, parameters, setParameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { canCreate, canDecide, scope, userName } from "../../state/session";
import { draftPath } from "../../state/paths";
import { Button, Empty } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { Panel } from "../../ui/panel";
import { useCursor, useListKeys, useNamedRow } from "../../ui/rows";
import { Tabs } from "../../ui/tabs";
import { useTitle } from "../../shell/title";
import { DraftForm } from "./draft-form";
import { DraftRow, editing } from "./draft-row";
import "./drafts.css";
import { bodyOf, fieldsOf } from "./fields";
import { PromotePanel } from "./promote-panel";
import { DRAFTS_MAX, draftsQuery } from "./queries";

/** Shows the view. `id` is the draft that the address names. */
export function DraftsView({ id }: { id?: string }) {
  const query = useQuery(draftsQuery);
  const all = query.data.value?.drafts ?? [];
  const status = parameters.value.get("status") ?? "";
  const drafts = all.filter((draft) => status === "" || draft.status === status);
  useTitle(id === undefined ? "Drafts" : `Draft ${id} · Drafts`);
  const cursor = useCursor(drafts.map((draft) => String(draft.id)));
  useListKeys(cursor, (at) => navigate(draftPath(at)));
  const named = drafts.find((draft) => String(draft.id) === id);
  useNamedRow(cursor, id);
  useDraftKeys(drafts.find((draft) => String(draft.id) === cursor.id.value));
  const to = parameters.value.get("promote");
  return (
    <div class="view drafts">
      <div class="section-head">
        <h1>Drafts</h1>
        {canCreate.value && <Button onClick={() => setParameters({ new: "1" })}>New draft…</Button>}
      </div>
      <Loaded query={query}>
        {() => (
          <>
            {all.length > 0 && <Tabs name="status" values={all.map((draft) => draft.status)} />}
            {all.length === 0 && <NoDraft />}
            {id !== undefined && !named && all.length > 0 && (
              <p class="dim">No draft {id} is among those that are shown.</p>
            )}
            <ul class="rows">
              {drafts.map((draft) => (
                <DraftRow key={draft.id} cursor={cursor} draft={draft} />
              ))}
            </ul>
            {all.length === DRAFTS_MAX && (
              <p class="dim">Only the newest {DRAFTS_MAX} drafts are shown.</p>
            )}
          </>
        )}
      </Loaded>
      {parameters.value.get("new") !== null && canCreate.value && <NewDraft />}
      {named && canDecide.value && (to === "task" || to === "project") && (
        <PromotePanel key={to} draft={named} to={to} />
      )}
    </div>
  );
}

function useDraftKeys(draft: Draft | undefined): void {
  const group = "Drafts";
  const edit = () => (editing.value = draft?.id);
  useKeys(
    draft && canDecide.value ? [{ keys: "e", label: "Edit the draft", run: edit, group }] : [],
  );
}

function NewDraft() {
  const close = () => setParameters({ new: undefined });
  return (
    <Panel title="New draft" onClose={close}>
      <DraftForm
        start={fieldsOf()}
        submit="Save the draft"
        onSubmit={async (fields) => {
          const owner = { author: userName.value, scope: scope.value };
          await createDraft({ ...bodyOf(fields), ...owner });
        }}
        onClose={close}
      />
    </Panel>
  );
}

function NoDraft() {
  return (
    <Empty>
      <p>There is no draft yet.</p>
      <p class="dim">
        A draft is an idea, not yet a task. Agents write drafts too, with the key of their run.
        Promote one to a task or to a project when its time has come.
      </p>
    </Empty>
  );
}
