/** A note on a line: as it is, or while it is written. */

import { useState } from "preact/hooks";

import { Button } from "../../ui/basics";
import { useFirstFocus } from "../../ui/focus";
import { End, isSend } from "../../ui/form";
import { placeOf, writeNote, type Note } from "./notes";

/** Shows the note, or its form. */
export function NoteForm(props: {
  taskId: string;
  place: Omit<Note, "text">;
  note: Note | undefined;
  isEdited: boolean;
  onEdit: () => void;
  onClose: () => void;
}) {
  const { taskId, place, note, isEdited, onEdit, onClose } = props;
  if (!isEdited) {
    return (
      <div class="note">
        <p class="prose">{note?.text}</p>
        <Button kind="quiet" class="small" onClick={onEdit}>
          Edit
        </Button>
        <Button
          kind="quiet"
          class="small"
          onClick={() => writeNote(taskId, { ...place, text: "" })}
        >
          Take away
        </Button>
      </div>
    );
  }
  return <Writing taskId={taskId} place={place} before={note?.text ?? ""} onClose={onClose} />;
}

function Writing(props: {
  taskId: string;
  place: Omit<Note, "text">;
  before: string;
  onClose: () => void;
}) {
  const { taskId, place, before, onClose } = props;
  const [text, setText] = useState(before);
  const field = useFirstFocus<HTMLTextAreaElement>();
  const submit = (event: Event) => {
    event.preventDefault();
    writeNote(taskId, { ...place, text });
    onClose();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    } else if (isSend(event)) submit(event);
  };
  return (
    <form class="form note" onSubmit={submit}>
      <label>
        Note on {placeOf(place)}, for a rejection
        <textarea
          ref={field}
          rows={2}
          maxLength={4_000}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKey}
        />
      </label>
      <End submit="Keep the note" cancel="Drop it" onCancel={onClose} />
    </form>
  );
}
