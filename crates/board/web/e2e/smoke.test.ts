import { expect, test } from "vitest";

import { expectAccessible, graveFindings } from "./support/axe";
import { Board } from "./support/board";
import { seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

test("the page loads without errors, and axe finds nothing serious", async () => {
  const page = await board.open("/");
  await page.waitForFunction(() => document.querySelector("#app h1, #app nav"));
  expect(await page.title()).toContain("Octopoid");
  await expectAccessible(page);
});

test("what the policy of the page forbids is noticed", async () => {
  const page = await board.open("/");
  await page.evaluate(() => {
    const image = document.createElement("img");
    image.src = "data:image/png;base64,AAAA";
    document.body.append(image);
  });
  await expect.poll(() => board.complaints.take().join("\n")).toContain("Content Security Policy");
});

test("text is never interpreted as HTML", async () => {
  const page = await board.open("/");
  const interpret = () => (document.body.innerHTML = "<b>text</b>");
  await expect(page.evaluate(interpret)).rejects.toThrow("TrustedHTML");
  await expect.poll(() => board.complaints.take().join("\n")).toContain("TrustedHTML");
});

test("what axe finds is told", async () => {
  const page = await board.open("/");
  await page.evaluate(() => document.body.append(document.createElement("input")));
  expect((await graveFindings(page)).join("\n")).toContain("label");
});
