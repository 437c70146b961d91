// Holds the conversation of conversation.json with a server, through a client of some SDK.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const steps = JSON.parse(await readFile(new URL("conversation.json", import.meta.url), "utf8"));

/// Puts what was kept in the place of its name in braces, in every text of a value.
function filled(value, kept) {
  if (typeof value === "string") {
    return value.replace(/\{(\w+)\}/g, (whole, name) => kept[name] ?? whole);
  }
  if (Array.isArray(value)) {
    return value.map((item) => filled(item, kept));
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, kept)]));
  }
  return value;
}

/// Calls every tool that the server lists, and checks what each call says.
export async function converse(client) {
  const { tools } = await client.listTools();
  const listed = tools.map((tool) => tool.name).sort();
  const kept = {};
  for (const { tool, arguments: given, is_error = false, says = [], keeps = {} } of steps) {
    const call = { name: tool, arguments: filled(given, kept) };
    const { content, isError } = await client.callTool(call);
    const shown = `${JSON.stringify(call)} says:\n${JSON.stringify(content)}`;
    assert.deepEqual(content.map((part) => part.type), ["text"], shown);
    assert.equal(isError ?? false, is_error, shown);
    const [{ text }] = content;
    for (const [name, pattern] of Object.entries(keeps)) {
      const found = text.match(new RegExp(filled(pattern, kept), "m"));
      assert.ok(found, `${shown}\nwithout ${pattern}`);
      kept[name] = found[1];
    }
    for (const pattern of says) {
      assert.match(text, new RegExp(filled(pattern, kept), "m"), shown);
    }
  }
  const called = new Set(steps.map((step) => step.tool).filter((tool) => listed.includes(tool)));
  assert.deepEqual([...called].sort(), listed, "not every tool was called");
  return steps.length;
}
