/** The frame of the board: the menu, the view, and the overlay. */

import { useLayoutEffect } from "preact/hooks";

import { useKeys, type Binding } from "../keys/keys";
import { navigate, path } from "../state/location";
import { canCreate, needsKey, scope } from "../state/session";
import { Problem } from "../ui/problem";
import { NewTask } from "../views/new/new-task";
import { views, viewOf } from "../views/registry";
import { Help } from "./help";
import { Login } from "./login";
import { Menu } from "./menu";
import { overlay } from "./overlay";
import { Palette } from "./palette";
import { Scopes } from "./scopes";
import { Settings } from "./settings";
import { start, startError } from "./start";
import { useTitle } from "./title";

const NEW_TASK: Binding = {
  keys: "c",
  label: "New task",
  run: () => (overlay.value = "new-task"),
  group: "Everywhere",
};

const shellKeys: Binding[] = [
  { keys: "?", label: "Show the keys", run: () => (overlay.value = "help"), group: "Everywhere" },
  {
    keys: "mod+k",
    label: "Search and commands",
    run: () => (overlay.value = "palette"),
    group: "Everywhere",
  },
  ...views.map((view) => ({
    keys: `g ${view.letter}`,
    label: `Go to ${view.title}`,
    run: () => navigate(`/${view.segment}`),
    group: "Go to",
  })),
];

/** The board. */
export function App() {
  if (needsKey.value) return <Login />;
  if (startError.value) return <NotStarted text={startError.value} />;
  if (scope.value === "") return <Scopes />;
  // With another key, all components are made again, so no state of the last scope remains.
  return <Board key={scope.value} />;
}

function NotStarted({ text }: { text: string }) {
  useTitle("Not started");
  return (
    <main class="view narrow">
      <h1>Octopoid</h1>
      <Problem text={text} onRetry={() => void start()} />
    </main>
  );
}

function Board() {
  useKeys(canCreate.value ? [NEW_TASK, ...shellKeys] : shellKeys);
  const close = () => (overlay.value = undefined);
  return (
    <>
      <a class="skip" href="#view">
        Skip to the view
      </a>
      <Menu />
      <main id="view" tabIndex={-1}>
        <Current />
      </main>
      {overlay.value === "help" && <Help onClose={close} />}
      {overlay.value === "palette" && <Palette onClose={close} />}
      {overlay.value === "new-task" && <NewTask onClose={close} />}
      {overlay.value === "settings" && <Settings onClose={close} />}
    </>
  );
}

function Current() {
  const found = viewOf(path.value);
  // An overlay closes when another view is shown: before the next event, so that one that is
  // opened over the new view stays.
  useLayoutEffect(() => {
    overlay.value = undefined;
  }, [path.value]);
  if (!found) return <Missing />;
  const { view, id } = found;
  if (id !== undefined && view.detail) return <view.detail id={id} key={id} />;
  return id === undefined ? <view.component /> : <view.component id={id} key={id} />;
}

function Missing() {
  useTitle("No such view");
  return (
    <div class="view">
      <h1>There is no such view</h1>
      <p class="problem">The address {path.value} belongs to no view of the board.</p>
    </div>
  );
}
