/** A choice among the values of a list, with their counts. It is in the address. */

import { parameters, setParameters } from "../state/location";
import { Button } from "./basics";

/** Shows `all` and each value that occurs, the most frequent first. `name` is the parameter. */
export function Tabs({ name, values }: { name: string; values: readonly string[] }) {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const chosen = parameters.value.get(name) ?? "";
  if (chosen !== "" && !counts.has(chosen)) counts.set(chosen, 0);
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
  return (
    <div class="chips values" role="group" aria-label={`By ${name}`}>
      {[["", values.length] as const, ...sorted].map(([value, count]) => (
        <Button
          key={value}
          aria-pressed={chosen === value}
          onClick={() => setParameters({ [name]: value })}
        >
          {value || "all"} <span class="count">{count}</span>
        </Button>
      ))}
    </div>
  );
}
