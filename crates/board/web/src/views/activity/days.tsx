/** Events, day by day. */

import type { StoredEvent } from "../../live/events";
import { absolute } from "../../state/clock";
import { setParameters } from "../../state/location";
import { Button, Link, Shape } from "../../ui/basics";
import { stateKind, stateWords } from "../../ui/words";
import { detailWords, movedTo, pageOf, subjectWords, whatWords } from "./words";

interface EventsProps {
  events: readonly StoredEvent[];
  /** The titles of tasks, as far as they are known. */
  titles: ReadonlyMap<string, string>;
  /** The event that the address names. */
  named?: string | undefined;
  /** The cursor from which an event is read with those around it. */
  placeOf: (id: string) => string;
}

/** Shows the events in the order in which they are given. */
export function Days(props: EventsProps) {
  const days = new Map<string, StoredEvent[]>();
  for (const event of props.events) {
    const day = absolute(event.at).slice(0, 10);
    const known = days.get(day);
    if (known) known.push(event);
    else days.set(day, [event]);
  }
  return (
    <>
      {[...days].map(([day, events]) => (
        <section key={day} aria-label={day}>
          <h2 class="day">{day}</h2>
          <ol class="plain events">
            {events.map((event) => (
              <EventRow key={event.id} {...props} event={event} />
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

function EventRow(props: EventsProps & { event: StoredEvent }) {
  const { event, titles, named } = props;
  const details = detailWords(event);
  const to = movedTo(event);
  const place = `/activity/${event.id}?at=${props.placeOf(event.id)}`;
  return (
    <li class={event.id === named ? "event is-at" : "event"} data-event={event.id}>
      <time dateTime={event.at} title={absolute(event.at)}>
        {absolute(event.at).slice(11, 19)}
      </time>
      <span class="what">
        {event.queue ? <Shape kind={stateKind(event.queue)} /> : <span class="shape">·</span>}{" "}
        {whatWords(event)}
      </span>
      <span class="subject">
        <Subject event={event} titles={titles} />
      </span>
      <span class="who">
        {event.actor && (
          <Button
            kind="quiet"
            title={`Show what ${event.actor} did`}
            onClick={() => setParameters({ actor: event.actor ?? "" })}
          >
            {event.actor}
          </Button>
        )}
      </span>
      <span class="details dim" title={details}>
        {[to && `→ ${stateWords(to)}`, details].filter(Boolean).join(" · ")}
      </span>
      <Link class="place" to={place} aria-label={`This place of the journal: ${event.type}`}>
        #
      </Link>
    </li>
  );
}

function Subject({ event, titles }: { event: StoredEvent; titles: ReadonlyMap<string, string> }) {
  const page = pageOf(event);
  const words = subjectWords(event, titles);
  if (!page) return <span title={event.subject.id}>{words}</span>;
  return (
    <Link class="title" to={page} title={event.subject.id}>
      {words}
    </Link>
  );
}
