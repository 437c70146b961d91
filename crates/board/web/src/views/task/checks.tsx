/** The checks of a run, those that failed first, with the ends of what they printed. */

import { AnsiText } from "./ansi-text";
import { hasFailed, type Check } from "./result";

/** Shows the checks. */
export function Checks({ checks }: { checks: Check[] }) {
  if (checks.length === 0) return null;
  const sorted = [...checks].sort(
    (one, other) => Number(hasFailed(other)) - Number(hasFailed(one)),
  );
  return (
    <ul class="checks" aria-label="Checks">
      {sorted.map((check, index) => (
        <li key={index}>
          {check.tail ? (
            <details open={hasFailed(check)}>
              <summary>
                <CheckLine check={check} />
              </summary>
              <pre class="tail" tabIndex={0} aria-label={`The end of what ${check.name} printed`}>
                <AnsiText text={check.tail} />
              </pre>
            </details>
          ) : (
            <CheckLine check={check} />
          )}
        </li>
      ))}
    </ul>
  );
}

function CheckLine({ check }: { check: Check }) {
  const isFailed = hasFailed(check);
  const isUnknown = check.exitCode === undefined;
  const state = isUnknown ? "no exit code" : isFailed ? `exit code ${check.exitCode}` : "ok";
  return (
    <span class="check-line">
      <span class={isFailed ? "is-failed" : isUnknown ? "dim" : "is-done"} aria-hidden="true">
        {isFailed ? "✕" : isUnknown ? "○" : "✓"}
      </span>{" "}
      <code>{check.name}</code>{" "}
      <span class="dim">
        {state}
        {check.seconds !== undefined && ` · ${Math.round(check.seconds * 10) / 10} s`}
      </span>
    </span>
  );
}
