/** The view Flow: the states of a flow, how many tasks are in each, and where they wait longest. */

import type { Flow } from "../../api/types";
import { flowsQuery } from "../../state/lists";
import { useQuery } from "../../state/queries";
import { flowPath } from "../../state/paths";
import { Link } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { useTitle } from "../../shell/title";
import { summaryQuery } from "../now/queries";
import { countsOf } from "./counts";
import "./flow.css";
import { Drawing } from "./drawing";
import { graphOf, withStates, type Graph } from "./layout";
import { States } from "./states";

/** The flow of a scope that has registered none. */
const BUILT_IN: Graph = {
  states: [
    "incoming",
    "claimed",
    "provisional",
    "done",
    "needs_continuation",
    "failed",
    "cancelled",
  ],
  steps: [
    { from: "incoming", to: "claimed" },
    { from: "claimed", to: "provisional" },
    { from: "provisional", to: "done" },
    { from: "claimed", to: "incoming" },
    { from: "provisional", to: "incoming" },
    { from: "claimed", to: "needs_continuation" },
    { from: "needs_continuation", to: "incoming" },
  ],
};

/** Shows the view. `id` is the name of the flow; without one, the flow with the most states. */
export function FlowView({ id }: { id?: string }) {
  const query = useQuery(flowsQuery);
  useTitle(id === undefined ? "Flow" : `${id} · Flow`);
  return (
    <div class="view flow">
      <Loaded query={query}>{({ flows }) => <Chosen flows={flows} name={id} />}</Loaded>
    </div>
  );
}

function Chosen({ flows, name }: { flows: readonly Flow[]; name: string | undefined }) {
  const flow = name === undefined ? longest(flows) : flows.find((known) => known.name === name);
  return (
    <>
      <h1>Flow{flow && ` ${flow.name}`}</h1>
      {flows.length > 1 && (
        <nav class="chips" aria-label="Flows">
          {flows.map((known) => (
            <Link
              key={known.name}
              class="button is-plain"
              to={flowPath(known.name)}
              aria-current={known === flow ? "page" : undefined}
            >
              {known.name}
            </Link>
          ))}
        </nav>
      )}
      {name !== undefined && !flow && flows.length > 0 && (
        <p class="problem">There is no flow {name}. Choose one of those above.</p>
      )}
      {flow?.description && <p class="dim">{flow.description}</p>}
      {flows.length === 0 && (
        <p class="dim">
          No flow is registered here. Tasks take the steps that the server has built in, and any
          queue is valid. <code>octopoid up</code> registers a flow of its own.
        </p>
      )}
      {(flow || flows.length === 0) && <Shown flow={flow} isOnly={flows.length < 2} />}
    </>
  );
}

function longest(flows: readonly Flow[]): Flow | undefined {
  const sizes = flows.map((flow) => graphOf(flow).states.length);
  return flows[sizes.indexOf(Math.max(...sizes))];
}

function Shown({ flow, isOnly }: { flow: Flow | undefined; isOnly: boolean }) {
  const summary = useQuery(summaryQuery).data.value;
  const queues = Object.entries(summary?.queues ?? {}).filter(([, tasks]) => tasks > 0);
  const own = flow ? graphOf(flow) : BUILT_IN;
  // With several flows, other states may belong to another flow.
  const graph = isOnly ? withStates(own, queues.map(([queue]) => queue)) : own;
  const counts = countsOf(graph.states, summary);
  return (
    <>
      <Drawing graph={graph} counts={counts} />
      <States graph={graph} counts={counts} />
      {!isOnly && (
        <p class="dim">The counts are those of all tasks of the scope, of any flow.</p>
      )}
    </>
  );
}
