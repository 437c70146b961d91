/** The journal from a place on, the oldest event first. */

import { useEffect, useMemo, useState } from "preact/hooks";

import type { StoredEvent } from "../../live/events";
import { useAttempt } from "../../ui/attempt";
import { Button, Link } from "../../ui/basics";
import { Problem } from "../../ui/problem";
import { Days } from "./days";
import { Filters } from "./filters";
import { actorsOf, cursorsOf, eventsAfter, filtered, type Shown } from "./journal";

/** How many events are read at a time. */
const PAGE = 50;

/** Shows the events behind the cursor `at`, among them the one that the address names. */
export function Place(props: {
  at: string;
  named: string | undefined;
  shown: Shown;
  titles: ReadonlyMap<string, string>;
}) {
  const [events, setEvents] = useState<readonly StoredEvent[]>([]);
  const [cursor, setCursor] = useState(props.at);
  const [isEnd, setEnd] = useState(false);
  const attempt = useAttempt();
  const more = () =>
    attempt.run(async () => {
      const next = await eventsAfter(cursor, PAGE);
      setEvents([...events, ...next.events]);
      setCursor(next.cursor);
      setEnd(next.isEnd);
    });
  useEffect(() => void more(), []);
  useEffect(() => {
    if (events.length > PAGE || props.named === undefined) return;
    const row = document.querySelector(`[data-event="${CSS.escape(props.named)}"]`);
    row?.scrollIntoView({ block: "center" });
  }, [events]);
  const placeOf = useMemo(() => cursorsOf(events, props.at), [events, props.at]);
  const isShown = events.some((event) => event.id === props.named);
  return (
    <>
      <p>
        {props.at === "0" ? "From the oldest event that is kept on." : "From this place on."} The
        oldest comes first. <Link to="/activity">Show the latest</Link>
      </p>
      <Filters shown={props.shown} actors={actorsOf(events)} />
      <Problem text={attempt.problem} />
      {events.length > 0 && props.named !== undefined && !isShown && (
        <p class="dim">The event {props.named} is just before these.</p>
      )}
      <Days
        events={filtered(events, props.shown)}
        titles={props.titles}
        named={props.named}
        placeOf={placeOf}
      />
      {isEnd ? (
        <p class="dim">This is the end of the journal.</p>
      ) : (
        <Button isBusy={attempt.isBusy} onClick={() => void more()}>
          Show later ones
        </Button>
      )}
    </>
  );
}
