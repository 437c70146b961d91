/** The line above each view: the scope, the views, and the connection. */

import { liveStatus, pauseLive } from "../live/live";
import type { LiveStatus } from "../live/events";
import { isUtc, showUtc } from "../state/clock";
import { path } from "../state/location";
import { useQuery } from "../state/queries";
import { canCreate, scope } from "../state/session";
import { Button, Link } from "../ui/basics";
import { views, viewOf } from "../views/registry";
import { summaryQuery } from "../views/now/queries";
import { overlay } from "./overlay";
import { ScopeMenu } from "./scopes";
import { theme, toggleTheme } from "./theme";

/** Shows the line. */
export function Menu() {
  const current = viewOf(path.value)?.view;
  return (
    <header class="menu">
      <Link to="/" class="brand" aria-label="Octopoid: go to Now">
        octopoid
      </Link>
      <ScopeMenu />
      <nav aria-label="Views" class="views">
        {views.map((view) => (
          <Link
            key={view.segment}
            to={`/${view.segment}`}
            aria-current={view === current ? "page" : undefined}
          >
            {view.title}
            {view.segment === "inbox" && <InboxCount />}
          </Link>
        ))}
      </nav>
      <div class="tools">
        {canCreate.value && (
          <Button kind="primary" onClick={() => (overlay.value = "new-task")}>
            <span class="long">New task</span>
            <span class="short" aria-label="New task">
              +
            </span>
          </Button>
        )}
        <Button kind="quiet" onClick={() => (overlay.value = "palette")} title="Ctrl-K">
          <span class="long">Search</span>
          <span class="short" aria-label="Search">
            ⌕
          </span>
        </Button>
        <Live />
        <Button
          kind="quiet"
          class="long"
          onClick={() => showUtc(!isUtc.value)}
          aria-label={`Times are ${isUtc.value ? "in UTC" : "local"}: change`}
        >
          {isUtc.value ? "UTC" : "local"}
        </Button>
        <Button
          kind="quiet"
          class="long"
          onClick={toggleTheme}
          aria-label={`Theme: ${theme.value}; change`}
        >
          ☾
        </Button>
        <Button
          kind="quiet"
          onClick={() => (overlay.value = "settings")}
          aria-label={`Settings of ${scope.value}`}
        >
          ⚙
        </Button>
      </div>
    </header>
  );
}

/** The number of open questions and proposals, and of tasks in review. */
function InboxCount() {
  // Every view shows the count, so every view reads the summary.
  const needs = useQuery(summaryQuery).data.value?.needs_person;
  const count = needs ? needs.questions + needs.actions + needs.provisional : 0;
  if (!count) return null;
  return (
    <span class="count is-needs-you" aria-label={`${count} open`}>
      {count}
    </span>
  );
}

const WORDS: Record<LiveStatus, string> = {
  connecting: "connecting",
  live: "live",
  polling: "live, every 4 s",
  busy: "busy: summaries",
  reconnecting: "reconnecting",
  paused: "paused",
};

/** The state of the connection, and the button that stops what moves. */
function Live() {
  const status = liveStatus.value;
  const isPaused = status === "paused";
  return (
    <Button
      kind="quiet"
      class={`live is-${status}`}
      onClick={() => pauseLive(!isPaused)}
      title={isPaused ? "Go on" : "Pause"}
    >
      <span aria-hidden="true">{isPaused ? "❚❚" : "●"}</span>{" "}
      <span role="status">{WORDS[status]}</span>
    </Button>
  );
}
