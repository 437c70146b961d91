import { expect, test } from "vitest";

import { moved } from "../ui/combobox";
import { commandsOf, matching, type Item } from "./palette-items";

const run = () => undefined;

function item(label: string, group: Item["group"] = "Views"): Item {
  return { id: label, group, label, run };
}

test("all words of the text are in the label or in the name of the group", () => {
  const items = [item("Go to settings"), item("Settings", "Commands"), item("Tasks")];
  const found = (text: string) => matching(items, text).map(({ label }) => label);
  expect(found("sett")).toEqual(["Settings", "Go to settings"]);
  expect(found("views sett")).toEqual(["Go to settings"]);
  expect(found("nothing")).toEqual([]);
  expect(found("  ")).toHaveLength(3);
});

test("keys that make sense without their list are commands, once each", () => {
  const bindings = [
    { keys: "a", label: "Accept the work", run, group: "Review" },
    { keys: "j", label: "Next row", run, group: "Lists" },
    { keys: "mod+k", label: "Search", run, group: "Everywhere" },
    { keys: "?", label: "Show the keys", run, group: "Everywhere" },
    { keys: "F1", label: "Show the keys", run, group: "Everywhere" },
  ];
  expect(commandsOf(bindings).map(({ label, hint }) => [label, hint])).toEqual([
    ["Accept the work", "a"],
    ["Show the keys", "?"],
  ]);
});

test("the place goes round", () => {
  expect([moved(0, 1, 3), moved(2, 1, 3), moved(0, -1, 3), moved(0, 1, 0)]).toEqual([1, 0, 2, 0]);
});
