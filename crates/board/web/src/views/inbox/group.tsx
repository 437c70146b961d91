/** A group of rows that need a person. Nothing is shown of an empty one. */

import type { ComponentChildren } from "preact";

import { More } from "../../ui/basics";

/** Shows the group. `rest` is how many more there are, and `to` shows them. */
export function Group(props: {
  name: string;
  count: number;
  rest?: number;
  to?: string;
  children: ComponentChildren;
}) {
  const { rest = 0, to = "" } = props;
  if (props.count === 0) return null;
  const id = `group-${props.name.toLowerCase().replaceAll(" ", "-")}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {props.name} <span class="count">{props.count + rest}</span>
      </h2>
      <ul class="rows">{props.children}</ul>
      <More count={rest} to={to} />
    </section>
  );
}
