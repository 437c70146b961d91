/** Texts of the server, with their instants in the zone that the user has chosen. */

import { absolute, short } from "../state/clock";

const INSTANT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** Shows a text of the server. */
export function Said({ text }: { text: string }) {
  const parts = text.split(INSTANT);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 1 ? (
          <time key={index} dateTime={part} title={absolute(part)}>
            {short(part)}
          </time>
        ) : (
          part
        ),
      )}
    </>
  );
}
