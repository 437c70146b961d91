import { expect, test } from "vitest";

import { chooseScope } from "../state/session";
import { draw } from "../test/draw";
import { useTitle } from "./title";

function View() {
  useTitle("(2) Inbox");
  return <h1>Inbox</h1>;
}

test("the window is named as soon as the view is seen", () => {
  chooseScope("s");
  draw(<View />);
  expect(document.title).toBe("(2) Inbox · s · Octopoid");
});
