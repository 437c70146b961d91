import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { path } from "../state/location";
import { chooseScope } from "../state/session";
import { draw } from "../test/draw";
import { serve } from "../test/server";
import { Palette } from "./palette";

beforeEach(() => {
  chooseScope("s");
  window.history.replaceState(null, "", "/");
});

afterEach(cleanup);

const tasks = [
  { id: "t1", title: "Fix the flaky test", queue: "incoming" },
  { id: "t2", title: "<b>Fix</b> the fleet", queue: "done" },
];

function shown(): string[] {
  return screen.queryAllByRole("option").map((option) => option.textContent ?? "");
}

test("it finds views and tasks, and the keyboard opens what is chosen", async () => {
  const asked = serve({ "GET /api/v1/tasks": () => ({ body: { tasks } }) });
  const onClose = vi.fn();
  render(<Palette onClose={onClose} />);
  const field = screen.getByRole("combobox");
  expect(document.activeElement).toBe(field);
  fireEvent.input(field, { target: { value: "fleet" } });
  await vi.waitFor(() => expect(shown()).toHaveLength(3));
  expect(shown()).toEqual([
    expect.stringContaining("Fleet"),
    expect.stringContaining("Fix the flaky test · t1"),
    expect.stringContaining("<b>Fix</b> the fleet · t2"),
  ]);
  expect(asked[0]?.url.search).toBe("?scope=s&search=fleet&limit=10");
  fireEvent.keyDown(field, { key: "ArrowDown" });
  await vi.waitFor(() => {
    const at = screen.getByRole("option", { selected: true });
    expect(at.id).toBe(field.getAttribute("aria-activedescendant"));
    expect(at.textContent).toContain("t1");
  });
  fireEvent.keyDown(field, { key: "Enter" });
  expect(onClose).toHaveBeenCalledOnce();
  expect(path.value).toBe("/tasks/t1");
});

test("only the last text is searched for, and Escape closes", async () => {
  const asked = serve({ "GET /api/v1/tasks": () => ({ body: { tasks: [] } }) });
  const onClose = vi.fn();
  render(<Palette onClose={onClose} />);
  const field = screen.getByRole("combobox");
  for (const value of ["z", "zz", "zzz"]) fireEvent.input(field, { target: { value } });
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]?.url.searchParams.get("search")).toBe("zzz");
  await screen.findByText("Nothing found.");
  fireEvent.keyDown(field, { key: "Escape" });
  expect(onClose).toHaveBeenCalledOnce();
});

test("keys that are typed as soon as the palette is seen reach its field", () => {
  serve({});
  draw(<Palette onClose={vi.fn()} />);
  expect(document.activeElement).toBe(screen.getByRole("combobox"));
});
