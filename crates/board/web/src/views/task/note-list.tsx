/** The notes on lines, above the form that sends them. */

import { Button, Link } from "../../ui/basics";
import { placeOf, writeNote, type Note } from "./notes";
import { taskPath } from "../../state/paths";

/** Shows the notes. */
export function NoteList({ taskId, notes }: { taskId: string; notes: readonly Note[] }) {
  return (
    <ul class="notes" aria-label="Notes for the rejection">
      {notes.map((note) => (
        <li key={placeOf(note)}>
          <span>
            <Link to={`${taskPath(taskId)}?tab=diff`}>
              <code>{placeOf(note)}</code>
            </Link>{" "}
            <span class="prose">{note.text}</span>
          </span>
          <Button
            kind="quiet"
            class="small"
            aria-label={`Take away the note on ${placeOf(note)}`}
            onClick={() => writeNote(taskId, { ...note, text: "" })}
          >
            ✕
          </Button>
        </li>
      ))}
    </ul>
  );
}
