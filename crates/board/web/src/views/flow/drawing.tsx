/** The drawing of a flow. The list below it has the same facts. */

import { Ago, Link, Shape } from "../../ui/basics";
import { stateKind, stateWords } from "../../ui/words";
import type { StateCount } from "./counts";
import { arrowOf, cornerOf, extentOf, placesOf, SIZE, type Graph, type Place } from "./layout";

/** Shows the graph. */
export function Drawing({ graph, counts }: { graph: Graph; counts: readonly StateCount[] }) {
  const places = placesOf(graph);
  const { width, height } = extentOf(places);
  const byState = new Map(places.map((place) => [place.state, place]));
  return (
    <div class="drawing">
      <div class="paper" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg width={width} height={height} aria-hidden="true">
          <defs>
            <marker
              id="tip"
              viewBox="0 0 8 8"
              refX="6"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              orient="auto"
            >
              <path d="M 0 0 L 8 4 L 0 8 z" />
            </marker>
          </defs>
          {graph.steps.map(({ from, to }) => {
            const [a, b] = [byState.get(from), byState.get(to)];
            if (!a || !b || a === b) return null;
            const isBack = b.column <= a.column;
            return (
              <path
                key={`${from} ${to}`}
                class={isBack ? "arrow is-back" : "arrow"}
                d={arrowOf(a, b)}
                marker-end="url(#tip)"
              />
            );
          })}
        </svg>
        {places.map((place) => (
          <Node
            key={place.state}
            place={place}
            count={counts.find(({ state }) => state === place.state)}
          />
        ))}
      </div>
    </div>
  );
}

function Node({ place, count }: { place: Place; count: StateCount | undefined }) {
  const { x, y } = cornerOf(place);
  const { state } = place;
  const tasks = count?.tasks ?? 0;
  const words = stateWords(state);
  return (
    <Link
      class={`node ${tasks > 0 ? "has-tasks" : ""} ${count?.isWorst ? "is-worst" : ""}`}
      to={`/tasks?queue=${encodeURIComponent(state)}`}
      title={words === state ? undefined : state}
      style={{
        left: `${x}px`,
        top: `${y}px`,
        width: `${SIZE.width}px`,
        height: `${SIZE.height}px`,
      }}
    >
      <span class="node-name">
        <span class={`is-${stateKind(state)}`}>
          <Shape kind={stateKind(state)} />
        </span>{" "}
        {words}
      </span>
      <span class="node-count">
        <b>
          {tasks.toLocaleString("en")}
          <span class="unseen">{tasks === 1 ? " task" : " tasks"}</span>
        </b>
        {count?.since && (
          <span class={count.isWorst ? "is-needs-you" : "dim"}>
            <Ago at={count.since} suffix="" />
          </span>
        )}
      </span>
    </Link>
  );
}
