/** What holds in each view: its title, its width, its colours, and how it is used without a mouse. */

import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, nowIsRead, seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

/** How long going through all views may take, where other programs need the processor. */
const ALL_VIEWS_MAX_MS = 240_000;

/** The widest screen on which the board must work. */
const WIDE = { viewport: { width: 3840, height: 2160 } };

/** The views: a path, what is there when it is read, and the title of the page. */
const VIEWS: [path: string, shows: string, title: RegExp][] = [
  ["/", "Fix the flaky login test", /^\(4\) Now/],
  ["/tasks", "Fix the flaky login test", /^Tasks/],
  [`/tasks/${FLEET.review}`, "Waits for your review", /^Fix the flaky login test/],
  [`/tasks/${FLEET.review}?tab=diff`, "stoppedClock", /^Fix the flaky login test/],
  [`/tasks/${FLEET.running}?tab=log`, "adding winnow", /^Port the parser/],
  ["/fleet", "box-3", /^Fleet/],
  ["/inbox", "Work to review", /^\(4\) Inbox/],
  ["/activity", "Rename the crate", /^Activity/],
  ["/flows", "Longest wait", /^Flow/],
  ["/projects", "Sessions that end", /^Projects/],
  ["/drafts", "Warn before a session ends", /^Drafts/],
];

test("each view says in its title where one is, and fits the widest screen", async () => {
  for (const [path, shows, title] of VIEWS) {
    const page = await board.open(path, WIDE);
    await page.getByText(shows).first().waitFor();
    await expect.poll(() => page.title()).toMatch(title);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, path).toBeLessThanOrEqual(WIDE.viewport.width);
    await expectAccessible(page);
    await page.close();
  }
}, ALL_VIEWS_MAX_MS);

test("each view is clear in the dark, on a telephone", async () => {
  for (const [path, shows] of VIEWS) {
    const page = await board.open(path, { ...TELEPHONE, colorScheme: "dark" });
    await page.getByText(shows).first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, path).toBeLessThanOrEqual(TELEPHONE.viewport.width);
    await expectAccessible(page);
    await page.close();
  }
}, ALL_VIEWS_MAX_MS);

/** The numbers and signs beside lines, which are left out so that what is copied is the text. */
const BESIDE = ".number, .sign, .log-number";

test("text can be selected, and nothing has to be dragged", async () => {
  for (const [path, shows] of VIEWS) {
    const page = await board.open(path);
    await page.getByText(shows).first().waitFor();
    if (path === "/tasks") {
      await page.getByText("running tests").waitFor();
      await picture(page, "tasks");
    }
    const found = await page.evaluate(
      (beside) => ({
        dragged: document.querySelectorAll("[draggable=true]").length,
        fixed: [...document.querySelectorAll("main *")]
          .filter((part) => getComputedStyle(part).userSelect === "none" && !part.closest(beside))
          .map((part) => part.outerHTML.slice(0, 100)),
      }),
      BESIDE,
    );
    expect(found, path).toEqual({ dragged: 0, fixed: [] });
    await page.close();
  }
}, ALL_VIEWS_MAX_MS);

test("Tab shows where the focus is, and reaches each button of a view", async () => {
  const page = await board.open("/");
  await nowIsRead(page);
  const wanted = await page.locator("main button, main a").count();
  const reached = new Set<string>();
  for (let presses = 0; presses < wanted + 30; presses += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body) return undefined;
      const { outlineStyle, outlineWidth } = getComputedStyle(focused);
      const all = [...document.querySelectorAll("main button, main a")];
      return {
        name: focused.outerHTML.slice(0, 100),
        place: all.indexOf(focused),
        isSeen: outlineStyle !== "none" && outlineWidth !== "0px",
      };
    });
    if (!at) break;
    expect(at, at.name).toMatchObject({ isSeen: true });
    if (at.place >= 0) reached.add(String(at.place));
  }
  expect(reached.size).toBe(wanted);
});
