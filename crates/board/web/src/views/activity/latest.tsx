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
  KEPT_MAX,
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
      {journal.isRead.value && (
        <Older
          journal={journal}
          isEmpty={events.length === 0}
          hidden={events.length - rows}
          onMore={() => setRows(rows + ROWS)}
        />
      )}
    </>
  );
}

/** What lies before the events that are shown. `hidden` of those that were read are not drawn. */
function Older(props: {
  journal: LatestEvents;
  isEmpty: boolean;
  hidden: number;
  onMore: () => void;
}) {
  const { journal, hidden, onMore } = props;
  const isWhole = journal.isWhole.value;
  if (hidden > 0) {
    return <Button onClick={onMore}>Show older ones: {counted(hidden, "event")}</Button>;
  }
  if (isWhole) {
    const words = props.isEmpty
      ? "Nothing of this kind has happened yet."
      : "This is the oldest event that the server keeps.";
    return <p class="dim">{words}</p>;
  }
  if (journal.events.value.length >= KEPT_MAX) {
    return (
      <p class="dim">
        <Link to="/activity?at=0">Read the journal from its oldest event</Link>
      </p>
    );
  }
  const older = () => {
    onMore();
    journal.readOlder();
  };
  return <Button onClick={older}>Look for older ones</Button>;
}
