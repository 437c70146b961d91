/** A group of rows that need a person. Nothing is shown of an empty one. */

import type { ComponentChildren } from "preact";

/** Shows the group. */
export function Group(props: { name: string; count: number; children: ComponentChildren }) {
  if (props.count === 0) return null;
  const id = `group-${props.name.toLowerCase().replaceAll(" ", "-")}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {props.name} <span class="count">{props.count}</span>
      </h2>
      <ul class="rows">{props.children}</ul>
    </section>
  );
}
