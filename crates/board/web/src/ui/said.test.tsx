import { cleanup, render, screen } from "@testing-library/preact";
import { afterEach, expect, test } from "vitest";

import { isUtc, now } from "../state/clock";
import { Said } from "./said";

afterEach(() => {
  cleanup();
  isUtc.value = false;
});

test("an instant of today is a time of day, another has its date, and both are whole on hover", () => {
  isUtc.value = true;
  now.value = Date.parse("2026-11-26T14:02:11.000Z");
  render(<Said text="Paused until 2026-11-26T15:00:00.000Z, delayed until 2026-11-27T08:30:00Z" />);
  expect(document.body.textContent).toBe("Paused until 15:00, delayed until 2026-11-27 08:30");
  expect(screen.getByText("15:00").title).toBe("2026-11-26 15:00:00 UTC");
});
