import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { FLEET, nowIsRead, seedFleet } from "./support/fleet";

const board = new Board({ auth: "required", seed: seedFleet });

test("a server that wants a key is signed in to with one, which stays in the tab", async () => {
  const key = await board.api.issueKey("manage");
  const page = await board.open("/");
  await page.getByRole("heading", { name: "Sign in to Octopoid" }).waitFor();
  await expectAccessible(page);
  await picture(page, "sign-in");
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Fix the flaky login test").first().waitFor();
  const kept = await page.evaluate(() => ({
    session: sessionStorage.getItem("octopoid.key"),
    local: localStorage.getItem("octopoid.key"),
    cookies: document.cookie,
  }));
  expect(kept).toEqual({ session: key, local: null, cookies: "" });
});

test("a key is kept in the browser if that is asked for, and forgotten by signing out", async () => {
  const key = await board.api.issueKey("manage");
  const page = await board.open("/");
  await page.getByLabel("API key").fill(key);
  await page.getByLabel(/Keep the key in this browser/).check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Fix the flaky login test").first().waitFor();
  const tab = await board.open("/", { beside: page });
  await tab.getByText("Fix the flaky login test").first().waitFor();
  await tab.getByRole("button", { name: /Settings/ }).click();
  await tab.getByRole("button", { name: "Sign out" }).click();
  await tab.getByRole("heading", { name: "Sign in to Octopoid" }).waitFor();
  expect(await tab.evaluate(() => localStorage.getItem("octopoid.key"))).toBeNull();
});

test("a wrong key is refused in words", async () => {
  const page = await board.open("/");
  await page.getByLabel("API key").fill("oct_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The server does not take this key").waitFor();
});

test("a one-time link signs in once, and its code leaves the address", async () => {
  const code = await board.api.issueKey("login");
  const page = await board.open(`/tasks#k=${code}`);
  await page.getByRole("navigation", { name: "Views", exact: true }).waitFor();
  expect(page.url()).not.toContain(code);
  expect(new URL(page.url()).pathname).toBe("/tasks");
  const again = await board.open(`/#k=${code}`);
  await again.getByRole("heading", { name: "Sign in to Octopoid" }).waitFor();
  await again.getByRole("alert").waitFor();
});

test("a key that may only read gives a board without buttons that change", async () => {
  const page = await board.open("/", { key: await board.api.issueKey("read") });
  const changes: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") changes.push(`${request.method()} ${request.url()}`);
  });
  // The rows are there, and so would their buttons be.
  const review = page.locator(`[data-row="${FLEET.review}"]`);
  await review.getByRole("link", { name: "Diff" }).waitFor();
  await page.getByText("Which port should the mock use").first().waitFor();
  await page.getByText("Split “Translate the manual” by chapter").first().waitFor();
  for (const name of ["Accept", "Reject…", "Answer…", "Approve", "Deny", "New task"]) {
    expect(await page.getByRole("button", { name, exact: true }).count(), name).toBe(0);
  }
  await review.locator("a.title").focus();
  await page.locator(`.is-at[data-row="${FLEET.review}"]`).waitFor();
  for (const key of ["a", "r", "c", "?"]) await page.keyboard.press(key);
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.getByText("Next row").waitFor();
  expect(await help.getByText(/Accept|Reject|New task/).count()).toBe(0);
  expect(await page.getByRole("dialog").count()).toBe(1);
  expect(changes).toEqual([]);
  expect((await board.api.task(FLEET.review)).queue).toBe("provisional");
});

test("with another key in the same tab, nothing of the last key stays", async () => {
  const other = board.server.api("other-repo");
  await other.createTask({ id: "0f0e0d0c", title: "A task of the other scope" });
  const page = await board.open("/", { key: await board.api.issueKey("manage") });
  await page.getByRole("button", { name: "Accept" }).first().waitFor();
  await page.getByRole("button", { name: /Settings/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").fill(await other.issueKey("read"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("A task of the other scope").waitFor();
  await page.locator(".live.is-live").waitFor();
  expect(await page.locator("#app").innerText()).not.toContain("Fix the flaky login test");
  expect(await page.getByRole("button", { name: "Accept" }).count()).toBe(0);
  expect(new URL(page.url()).searchParams.get("scope")).toBe("other-repo");
});

test("when the key is revoked, the board asks for another", async () => {
  const body = { permission: "manage", label: "lost" };
  const issued = await board.api.post<{ id: string; api_key: string }>("/admin/keys", body);
  const page = await board.open("/", { key: issued.api_key });
  await page.locator(".live.is-live").waitFor();
  await board.api.send("DELETE", `/admin/keys/${issued.id}`);
  await page.getByRole("heading", { name: "Sign in to Octopoid" }).waitFor();
});

test("keys show every view, and ? says which", async () => {
  const key = await board.api.issueKey("manage");
  const page = await board.open("/", { key });
  await page.getByText("Fix the flaky login test").first().waitFor();
  const views = { t: "/tasks", f: "/fleet", i: "/inbox", a: "/activity", w: "/flows", n: "/" };
  for (const [letter, path] of Object.entries(views)) {
    await page.keyboard.press("g");
    await page.keyboard.press(letter);
    await expect.poll(() => new URL(page.url()).pathname).toBe(path);
    expect(new URL(page.url()).searchParams.get("scope")).toBe("my-repo");
  }
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.getByText("Go to Tasks").waitFor();
  await picture(page, "keys");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
});

test("a held key moves on through a list", async () => {
  const page = await board.open("/", { key: await board.api.issueKey("read") });
  await nowIsRead(page);
  const rows = await page.locator("[data-row]").evaluateAll((all) =>
    all.map((row) => row.getAttribute("data-row")),
  );
  for (let repeat = 0; repeat < 4; repeat += 1) await page.keyboard.down("j");
  await page.keyboard.up("j");
  await page.locator(`.is-at[data-row="${rows[3]}"]`).waitFor();
});

test("times are local or in UTC, and colours dark or light, as the user chooses", async () => {
  const page = await board.open("/", { key: await board.api.issueKey("read") });
  await page.getByText("Fix the flaky login test").first().waitFor();
  await page.getByRole("button", { name: /Times are local/ }).click();
  expect(await page.locator("time").first().getAttribute("title")).toContain("UTC");
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.getByRole("button", { name: /^Theme/ }).click();
  expect(await back()).not.toBe(light);
  await page.reload();
  await page.getByText("Fix the flaky login test").first().waitFor();
  expect(await back()).not.toBe(light);
  expect(await page.locator("time").first().getAttribute("title")).toContain("UTC");
});
