/** What is shown of the journal: by kind of subject, and by actor. It is in the address. */

import type { ComponentChildren } from "preact";

import { setParameters } from "../../state/location";
import { Button } from "../../ui/basics";
import type { Shown } from "./journal";
import { KINDS } from "./words";

/** Shows the filters. What else belongs to the line is beside them. */
export function Filters(props: {
  shown: Shown;
  actors: readonly string[];
  children?: ComponentChildren;
}) {
  const { kinds, actor } = props.shown;
  const actors = actor && !props.actors.includes(actor) ? [actor, ...props.actors] : props.actors;
  const toggle = (kind: string) => {
    const others = kinds.filter((known) => known !== kind);
    const changed = kinds.includes(kind) ? others : [...others, kind];
    setParameters({ kinds: changed.join(",") });
  };
  return (
    <div class="filters">
      <div class="chips" role="group" aria-label="Kinds">
        <Button aria-pressed={kinds.length === 0} onClick={() => setParameters({ kinds: "" })}>
          all
        </Button>
        {KINDS.map(([kind, words]) => (
          <Button key={kind} aria-pressed={kinds.includes(kind)} onClick={() => toggle(kind)}>
            {words}
          </Button>
        ))}
      </div>
      <label class="actor">
        by{" "}
        <select
          value={actor}
          onChange={(event) => setParameters({ actor: event.currentTarget.value })}
        >
          <option value="">everyone</option>
          {actors.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {props.children}
    </div>
  );
}
