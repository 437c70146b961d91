/** The line of named views above the table. */

import { useState } from "preact/hooks";

import { Button, Link } from "../../ui/basics";
import { useFirstFocus } from "../../ui/focus";
import { forgetView, isSame, saveView, type SavedView } from "./saved";

/** Shows the views. `parameters` is what is shown now. */
export function ViewTabs(props: {
  standard: SavedView[];
  saved: SavedView[];
  parameters: string;
}) {
  const { standard, saved, parameters } = props;
  const isNamed = [...standard, ...saved].some((view) => isSame(view.parameters, parameters));
  const own = saved.find((view) => isSame(view.parameters, parameters));
  return (
    <nav class="task-views" aria-label="Named lists of tasks">
      {[...standard, ...saved].map((view) => (
        <Link
          key={view.name}
          to={view.parameters ? `/tasks?${view.parameters}` : "/tasks"}
          aria-current={isSame(view.parameters, parameters) ? "page" : undefined}
        >
          {view.name}
          {view.count !== undefined && (
            <span class="count">{view.count.toLocaleString("en")}</span>
          )}
        </Link>
      ))}
      {own && (
        <Button kind="quiet" onClick={() => forgetView(own.name)}>
          Forget this view
        </Button>
      )}
      {!isNamed && <SaveView parameters={parameters} />}
    </nav>
  );
}

function SaveView({ parameters }: { parameters: string }) {
  const [isOpen, setOpen] = useState(false);
  if (isOpen) return <NameForm parameters={parameters} onClose={() => setOpen(false)} />;
  return (
    <Button kind="quiet" onClick={() => setOpen(true)}>
      Save this view…
    </Button>
  );
}

function NameForm({ parameters, onClose }: { parameters: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const field = useFirstFocus<HTMLInputElement>();
  const save = (event: Event) => {
    event.preventDefault();
    if (!name.trim()) return;
    saveView({ name: name.trim(), parameters });
    onClose();
  };
  return (
    <form class="save-view" onSubmit={save}>
      <input
        ref={field}
        aria-label="Name of the view"
        placeholder="Name of the view"
        maxLength={40}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          onClose();
        }}
      />
      <Button type="submit" disabled={!name.trim()}>
        Save
      </Button>
    </form>
  );
}
