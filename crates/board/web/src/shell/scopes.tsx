/** The scopes: the one that is shown, and the choice of another. */

import { getScopes } from "../api/endpoints";
import type { Scopes as ScopeList } from "../api/types";
import { kinds, useQuery } from "../state/queries";
import { scope } from "../state/session";
import { Empty, Command } from "../ui/basics";
import { ADD_TASK } from "../ui/first-steps";
import { Loaded } from "../ui/loading";
import { counted } from "../ui/words";
import { openScope } from "./start";
import { useTitle } from "./title";

/** The scopes that the caller may see. */
export const scopesQuery = {
  name: "scopes",
  load: (signal: AbortSignal) => getScopes(signal),
  concerns: kinds("key", "orchestrator"),
};

/** The choice of a scope in the menu. With a key there is one, and no choice. */
export function ScopeMenu() {
  const query = useQuery<ScopeList>(scopesQuery);
  const names = query.data.value?.scopes.map((known) => known.scope) ?? [];
  if (!names.includes(scope.value)) names.unshift(scope.value);
  if (names.length === 1) return <span class="scope">{scope.value}</span>;
  return (
    <select
      class="scope"
      aria-label="Scope"
      value={scope.value}
      onChange={(event) => openScope(event.currentTarget.value)}
    >
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** All scopes, where the address names none and there are several. */
export function Scopes() {
  useTitle("Scopes");
  const query = useQuery<ScopeList>(scopesQuery);
  return (
    <main class="view narrow">
      <h1>Scopes</h1>
      <Loaded query={query}>
        {({ scopes }) =>
          scopes.length === 0 ? (
            <Empty>
              <p>This server has no task yet. These two commands make one, in a git repository:</p>
              <Command text={`octopoid config set server ${window.location.origin}`} />
              <Command text={ADD_TASK} />
            </Empty>
          ) : (
            <ul class="plain">
              {scopes.map((known) => (
                <li key={known.scope} class="row">
                  <a href={`/?scope=${encodeURIComponent(known.scope)}`}>{known.scope}</a>
                  <span class="dim">
                    {counted(known.open_tasks, "open task")} · {counted(known.machines, "machine")}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </main>
  );
}
