/** The settings of this browser. */

import { stopLive } from "../live/live";
import { isUtc, showUtc } from "../state/clock";
import { apiKey, forgetKey, keepName, permission, scope, userName } from "../state/session";
import { Button } from "../ui/basics";
import { Panel } from "../ui/panel";
import { toggleTheme } from "./theme";

/** Shows the settings. */
export function Settings({ onClose }: { onClose: () => void }) {
  return (
    <Panel title="Settings" onClose={onClose}>
      <div class="form">
        <label>
          Your name, which others see beside what you decide
          <input
            value={userName.value}
            maxLength={100}
            onChange={(event) => keepName(event.currentTarget.value)}
          />
        </label>
        <div class="buttons">
          <Button onClick={() => showUtc(!isUtc.value)}>
            Show times {isUtc.value ? "in local time" : "in UTC"}
          </Button>
          <Button onClick={toggleTheme}>Change between dark and light</Button>
        </div>
        <p class="dim">
          Scope {scope.value}. {WORDS[permission.value ?? "read"]}
        </p>
        {apiKey.value && (
          <Button
            onClick={() => {
              onClose();
              stopLive();
              forgetKey();
            }}
          >
            Sign out
          </Button>
        )}
        <p>
          <a href="/docs">The API of this server</a>
        </p>
      </div>
    </Panel>
  );
}

const WORDS = {
  read: "Your key may read.",
  run: "Your key may read one task.",
  work: "Your key may read, and add tasks, drafts and messages.",
  manage: "You may do everything in this scope.",
  admin: "You administer this server.",
};
