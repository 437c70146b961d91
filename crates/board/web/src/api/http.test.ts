import { beforeEach, expect, test } from "vitest";

import { apiKey, chooseScope, keepKey, needsKey } from "../state/session";
import { serve } from "../test/server";
import { ApiError, queryText, request } from "./http";

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
  chooseScope("my repo");
  keepKey("oct_secret", false);
});

test("a request names the scope, the key and the version", async () => {
  const asked = serve({ "PATCH /x": () => ({ body: { ok: true } }) });
  const answer = await request("PATCH", "/x", { body: { a: 1 }, version: 7 });
  expect(answer).toEqual({ ok: true });
  expect(asked[0]?.url.search).toBe("?scope=my+repo");
  expect(asked[0]?.headers.get("authorization")).toBe("Bearer oct_secret");
  expect(asked[0]?.headers.get("if-match")).toBe('"v7"');
  expect(asked[0]?.body).toEqual({ a: 1 });
});

test("a refusal has the status, the code and the text of the server", async () => {
  serve({ "GET /x": () => ({ status: 409, body: { error: "Held by ana", code: "lease_lost" } }) });
  const error = await request("GET", "/x").catch((refused: unknown) => refused);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, code: "lease_lost", message: "Held by ana" });
  expect((error as ApiError).isConflict).toBe(true);
});

test("a refusal says why, and when the server wants to be asked again", async () => {
  const details = ["Invalid transition: task is in done"];
  const body = { error: "Failed to cancel task", code: "wrong_state", details };
  const answer = () =>
    new Response(JSON.stringify(body), { status: 503, headers: { "Retry-After": "7" } });
  serve({ "GET /x": answer });
  const error = await request("GET", "/x").catch((refused: unknown) => refused);
  expect(error).toMatchObject({
    message: "Failed to cancel task: Invalid transition: task is in done",
    retryAfter: 7,
  });
});

test("an answer that is no JSON is a refusal too", async () => {
  serve({ "GET /x": () => new Response("<h1>Bad gateway</h1>", { status: 502 }) });
  const error = await request("GET", "/x").catch((refused: unknown) => refused);
  expect(error).toMatchObject({ status: 502, code: "unknown" });
});

test("a key that the server does not take is forgotten", async () => {
  serve({ "GET /x": () => ({ status: 401, body: { error: "Invalid API key" } }) });
  await request("GET", "/x").catch(() => undefined);
  expect(apiKey.value).toBe("");
  expect(sessionStorage.getItem("octopoid.key")).toBeNull();
  expect(needsKey.value).toBe(true);
});

test("what is undefined or empty is no part of a query", () => {
  expect(queryText({ a: undefined, b: "", c: 0, d: "x y" })).toBe("?c=0&d=x+y");
  expect(queryText({})).toBe("");
});
