/** What is shown where there is no task or no machine yet: the commands that begin. */

import type { ComponentChildren } from "preact";

import { scope } from "../state/session";
import { Command, Empty } from "./basics";

/** The command that makes a task. */
export const ADD_TASK = 'octopoid add "Fix the flaky login test"';

/** Says how to make the first task of a scope, and how to have it worked on. */
export function FirstTask() {
  return (
    <Empty>
      <p>There is no task yet. Press “New task”, or make one in a git repository:</p>
      <Command text={ADD_TASK} />
      <p>Agents work on it as long as this runs there:</p>
      <Command text="octopoid up --agents 3 -- claude -p" />
    </Empty>
  );
}

/** Says how to start a machine for the scope. `children` follow the command. */
export function FirstMachine({ children }: { children?: ComponentChildren }) {
  const server = window.location.origin;
  return (
    <Empty>
      <p>No machine works for {scope.value}. This line, in a git repository, starts one:</p>
      <Command text={`octopoid agent run --server ${server} --scope ${scope.value} -- claude -p`} />
      {children}
    </Empty>
  );
}
