/** The states of a flow as a table, with the same facts as the drawing. */

import { Ago, Link, Shape, State } from "../../ui/basics";
import { stateWords } from "../../ui/words";
import type { StateCount } from "./counts";
import type { Graph } from "./layout";

/** Shows the list. */
export function States({ graph, counts }: { graph: Graph; counts: readonly StateCount[] }) {
  const hasTimes = counts.some((count) => count.since !== undefined);
  return (
    <table class="states">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col" class="amount">
            Tasks
          </th>
          {hasTimes && <th scope="col">Longest wait</th>}
          <th scope="col">Leads to</th>
        </tr>
      </thead>
      <tbody>
        {counts.map((count) => (
          <StateRow key={count.state} graph={graph} count={count} hasTimes={hasTimes} />
        ))}
      </tbody>
    </table>
  );
}

function StateRow(props: { graph: Graph; count: StateCount; hasTimes: boolean }) {
  const { state, tasks, since, isWorst } = props.count;
  const next = props.graph.steps.filter(({ from }) => from === state).map(({ to }) => to);
  return (
    <tr>
      <th scope="row">
        <State queue={state} />
      </th>
      <td class="amount">
        <Link
          to={`/tasks?queue=${encodeURIComponent(state)}`}
          aria-label={`${tasks.toLocaleString("en")} ${stateWords(state)}`}
        >
          {tasks.toLocaleString("en")}
        </Link>
      </td>
      {props.hasTimes && (
        <td>
          {since && (
            <span class={isWorst ? "is-needs-you" : ""}>
              <Ago at={since} suffix="" />
              {isWorst && (
                <>
                  {" "}
                  <Shape kind="needs-you" />
                  <span class="unseen">, the longest of all</span>
                </>
              )}
            </span>
          )}
        </td>
      )}
      <td class="next dim">{next.map(stateWords).join(", ") || "—"}</td>
    </tr>
  );
}
