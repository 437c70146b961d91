import { effect } from "@preact/signals";
import { cleanup, render, screen } from "@testing-library/preact";
import { afterEach, beforeAll, expect, test, vi } from "vitest";

import { Help } from "../shell/help";
import { currentBindings, startKeys, useKeys, type Binding } from "./keys";

beforeAll(startKeys);
afterEach(cleanup);

function Keys({ own }: { own: Binding[] }) {
  useKeys(own);
  return null;
}

function press(key: string, target: EventTarget = document.body, repeat = false): void {
  const how = { key, repeat, bubbles: true, cancelable: true };
  target.dispatchEvent(new KeyboardEvent("keydown", how));
}

const binding = (keys: string, run: () => void, label = keys): Binding => ({ keys, label, run });

test("a key does what its component says last, and nothing when it is gone", () => {
  const first = vi.fn();
  const second = vi.fn();
  const shown = render(<Keys own={[binding("j", first)]} />);
  press("j");
  shown.rerender(<Keys own={[binding("j", second)]} />);
  press("j");
  shown.unmount();
  press("j");
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
  expect(currentBindings()).toEqual([]);
});

test("the component that came last comes first, also when others are shown again", () => {
  const under = vi.fn();
  const above = vi.fn();
  const both = (n: number) => (
    <>
      <Keys own={[binding("Escape", under, `of ${n > 5 ? "many" : "few"}`)]} />
      {n > 0 && <Keys own={[binding("Escape", above)]} />}
    </>
  );
  const shown = render(both(0));
  shown.rerender(both(1));
  shown.rerender(both(2));
  press("Escape");
  expect([under.mock.calls.length, above.mock.calls.length]).toEqual([0, 1]);
});

test("two keys in a row are one, and what is typed is no key", () => {
  const run = vi.fn();
  render(<Keys own={[binding("g t", run), binding("t", () => undefined)]} />);
  press("g");
  press("t");
  expect(run).toHaveBeenCalledOnce();
  const field = document.body.appendChild(document.createElement("input"));
  press("g", field);
  press("t", field);
  field.remove();
  expect(run).toHaveBeenCalledOnce();
});

test("while a key is held, only a binding that is repeated runs again", () => {
  const next = vi.fn();
  const open = vi.fn();
  render(<Keys own={[{ ...binding("j", next), isRepeated: true }, binding("c", open)]} />);
  for (const key of ["j", "c"]) {
    press(key);
    for (let repeat = 0; repeat < 3; repeat += 1) press(key, document.body, true);
  }
  expect([next.mock.calls.length, open.mock.calls.length]).toEqual([4, 1]);
});

test("showing the list of keys, which has a key itself, changes the list once", async () => {
  let changes = 0;
  const dispose = effect(() => {
    currentBindings();
    changes += 1;
  });
  render(<Help onClose={() => undefined} />);
  await screen.findByText("Close the panel");
  await new Promise((resolve) => setTimeout(resolve, 50));
  dispose();
  // Without it, and with it.
  expect(changes).toBe(2);
});
