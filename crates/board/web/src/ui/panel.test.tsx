import { screen } from "@testing-library/preact";
import { expect, test } from "vitest";

import { draw } from "../test/draw";
import { Panel } from "./panel";

test("keys that are typed as soon as a panel is seen reach its first field", () => {
  draw(
    <Panel title="New task" onClose={() => undefined}>
      <input aria-label="Title" />
    </Panel>,
  );
  expect(document.activeElement).toBe(screen.getByLabelText("Title"));
});
