import { expect, test } from "vitest";

import type { Claimed } from "./support/api";
import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { RUNNING_LOG } from "./support/texts";

const board = new Board();

async function running(id: string, text: string): Promise<{ held: Claimed; offset: number }> {
  const held = await board.api.start({ id, role: id, title: "Port the parser" }, { role: id });
  return { held, offset: await board.api.log(held, text) };
}

/** A log of many lines, of which two tell of a failure. */
const lines = Array.from({ length: 3_000 }, (_, line) => `test case_${line} ... ok`);
lines[500] = "error: the first";
lines[2_000] = "thread 'main' panicked: the second";
const LONG = `${lines.join("\n")}\n`;

test("a log is followed while it grows, until the user scrolls up", async () => {
  const { held, offset } = await running("follow", LONG);
  const page = await board.open("/tasks/follow?tab=log");
  await page.getByText("test case_2999 ... ok").waitFor();
  // Lines that are not seen are not made.
  expect(await page.locator(".log-line").count()).toBeLessThan(200);
  const after = await board.api.log(held, "one more line\n", offset);
  await page.getByText("one more line").waitFor();
  const follow = page.getByRole("button", { name: "Follow" });
  expect(await follow.getAttribute("aria-pressed")).toBe("true");
  await page.locator(".log").evaluate((log) => log.scrollTo(0, log.scrollTop - 2_000));
  await expect.poll(() => follow.getAttribute("aria-pressed")).toBe("false");
  await board.api.log(held, "not scrolled to\n", after);
  await page.getByText("3,002 lines").waitFor();
  expect(await page.getByText("not scrolled to").count()).toBe(0);
  await follow.click();
  await page.getByText("not scrolled to").waitFor();
  await board.api.submit(held, {});
  await page.getByText("· ended").waitFor();
});

test("errors and texts are found, by keys too", async () => {
  await running("find", LONG);
  const page = await board.open("/tasks/find?tab=log");
  await page.getByText("Next of 2 errors").waitFor();
  const at = page.locator(".log-line.is-at .log-text");
  for (const text of [lines[500], lines[2_000], lines[500]]) {
    await page.keyboard.press("e");
    await expect.poll(() => at.innerText()).toBe(text);
  }
  await page.keyboard.press("E");
  await expect.poll(() => at.innerText()).toBe(lines[2_000]);
  await page.keyboard.press("/");
  await page.keyboard.type("CASE_29");
  await page.getByText("111 lines").waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(() => at.innerText()).toBe("test case_2900 ... ok");
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  await expect.poll(() => at.innerText()).toBe("test case_2901 ... ok");
  await page.keyboard.press("N");
  await page.keyboard.press("N");
  await expect.poll(() => at.innerText()).toBe("test case_299 ... ok");
  await page.getByText("11 of 111 lines").waitFor();
});

test("a line has an address, and the log can be stored", async () => {
  await running("address", LONG);
  const page = await board.open("/tasks/address?tab=log");
  await page.getByText("test case_2999 ... ok").waitFor();
  await page.getByRole("button", { name: "Line 2998: name it in the address" }).click();
  expect(page.url()).toMatch(/#L2998$/);
  const linked = await board.open(`/tasks/address?tab=log#L1201`);
  await expect
    .poll(() => linked.locator(".is-at .log-text").innerText())
    .toBe("test case_1200 ... ok");
  await expect.poll(() => linked.getByText("test case_1200 ... ok").isVisible()).toBe(true);
  const [file] = await Promise.all([
    linked.waitForEvent("download"),
    linked.getByRole("button", { name: "Download" }).click(),
  ]);
  expect(file.suggestedFilename()).toBe("address-1.log");
  const stored: Buffer[] = [];
  for await (const part of await file.createReadStream()) stored.push(part as Buffer);
  expect(Buffer.concat(stored).toString()).toBe(LONG);
});

test("colours of terminals are shown, and markup is text", async () => {
  await running("colours", RUNNING_LOG);
  const page = await board.open("/tasks/colours?tab=log");
  await page.getByText("<b>not bold</b> <script>alert(1)</script>").waitFor();
  expect(await page.locator(".ansi-green").first().innerText()).toBe("   Compiling");
  await expectAccessible(page);
  await picture(page, "log");
});

test("what is not there yet says so", async () => {
  await board.api.createTask({ id: "idle", role: "idle" });
  const page = await board.open("/tasks/idle?tab=log");
  await page.getByText(/No agent has claimed the task yet/).waitFor();
  await board.api.claimTask("idle", { role: "idle" });
  await page.getByText("The agent has printed nothing yet.").waitFor();
});
