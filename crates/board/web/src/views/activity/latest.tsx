/** The latest events, which move by themselves unless they are held. */

import { useEffect, useMemo, useState } from "preact/hooks";

import { useKeys } from "../../keys/keys";
import type { StoredEvent } from "../../live/events";
import { Button, Link } from "../../ui/basics";
import { Outline } from "../../ui/loading";
import { Problem } from "../../ui/problem";
import { counted } from "../../ui/words";
import { Days } from "./days";
import { Filters } from "./filters";
import {
  actorsOf,
  arrivedSince,
  cursorsOf,
  filtered,
  LatestEvents,
  type Shown,
} from "./journal";

/** How many rows are drawn at first, and how many more by each press of the button. */
const ROWS = 200;

/** Shows the events. */
export function Latest(props: { shown: Shown; titles: ReadonlyMap<string, string> }) {
  const journal = useMemo(() => new LatestEvents(), []);
  useEffect(() => journal.follow(), [journal]);
  const [held, setHeld] = useState<readonly StoredEvent[] | undefined>(undefined);
  const [rows, setRows] = useState(ROWS);
  const all = journal.events.value;
  const toggle = () => setHeld(held ? undefined : all);
  useKeys([{ keys: "p", label: held ? "Go on" : "Hold still", run: toggle, group: "Activity" }]);
  const events = filtered(held ?? all, props.shown);
  const arrived = held ? filtered(arrivedSince(held, all), props.shown).length : 0;
  const newest = events.slice(-rows).reverse();
  const placeOf = useMemo(() => cursorsOf(all, journal.start), [all, journal.start]);
  return (
    <>
      <Filters shown={props.shown} actors={actorsOf(all)}>
        <Button aria-pressed={held !== undefined} onClick={toggle}>
          {held ? "Go on" : "Hold still"}
        </Button>
      </Filters>
      <p class="arrived" role="status">
        {arrived > 0 && (
          <Button kind="primary" onClick={() => setHeld(all)}>
            {arrived} new: show
          </Button>
        )}
      </p>
      <Problem text={journal.error.value?.message} onRetry={() => journal.read()} />
      {journal.isRead.value ? (
        <Days events={newest} titles={props.titles} placeOf={placeOf} />
      ) : (
        !journal.error.value && <Outline rows={8} />
      )}
      {journal.isRead.value && events.length > rows && (
        <Button onClick={() => setRows(rows + ROWS)}>
          Show older ones: {counted(events.length - rows, "event")}
        </Button>
      )}
      {journal.isRead.value && (
        <End
          journal={journal}
          isEmpty={events.length === 0}
          isAll={events.length <= rows}
        />
      )}
    </>
  );
}

/** What lies before the events that are shown. */
function End(props: { journal: LatestEvents; isEmpty: boolean; isAll: boolean }) {
  const { isLong, start } = props.journal;
  if (isLong.value) {
    return (
      <p class="dim">
        The journal is too long to be read to its end here. What happens from now on is shown.{" "}
        <Link to="/activity?at=0">Read it from its oldest event</Link>
      </p>
    );
  }
  if (props.isEmpty) return <p class="dim">Nothing of this kind has happened yet.</p>;
  if (!props.isAll) return null;
  return (
    <p class="dim">
      {start === "0" ? (
        "This is the oldest event that the server keeps."
      ) : (
        <Link to="/activity?at=0">Read the journal from its oldest event</Link>
      )}
    </p>
  );
}
