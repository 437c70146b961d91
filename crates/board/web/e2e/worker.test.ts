import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Api } from "./support/api";
import { Complaints, launch, openPage } from "./support/browser";

/** The running Worker, and its administrator's token. `cargo xtask edge test` names both. */
const url = process.env.OCTOPOID_EDGE_URL ?? "";
const admin = process.env.API_SECRET_KEY ?? "";

const SCOPE = "board-on-the-worker";

describe.skipIf(!url)("on the Worker", () => {
  const complaints = new Complaints();
  let browser: Browser;
  let page: Page;
  let api: Api;

  beforeAll(async () => {
    browser = await launch();
    const key = await new Api(url, SCOPE, admin).issueKey("manage");
    api = new Api(url, SCOPE, key);
    await api.createTask({ id: "worker-first", title: "There before the board" });
    page = await openPage(browser, `${url}/?scope=${SCOPE}`, complaints, { key });
  });

  afterAll(() => browser.close());

  test("its files may be kept for good, and are what they say they are", async () => {
    const html = await (await fetch(url, { headers: { accept: "text/html" } })).text();
    const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
    expect(files.length).toBeGreaterThan(1);
    for (const path of files) {
      const { status, headers } = await fetch(url + path);
      expect(status, path).toBe(200);
      expect(headers.get("cache-control"), path).toBe("public, max-age=31536000, immutable");
      expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    }
  });

  test("it polls, and shows a task that was made meanwhile", async () => {
    await page.getByText("There before the board").waitFor();
    await page.getByRole("status").filter({ hasText: "every" }).waitFor();
    await api.createTask({ id: "worker-second", title: "Made while the board was open" });
    await page.getByText("Made while the board was open").waitFor();
    expect(complaints.take()).toEqual([]);
  });
});
