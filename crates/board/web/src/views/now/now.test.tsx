import { cleanup, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test } from "vitest";

import { liveStatus } from "../../live/live";
import { now } from "../../state/clock";
import { forgetQueries } from "../../state/queries";
import { chooseScope } from "../../state/session";
import { serve, type Asked } from "../../test/server";
import { NowView } from "./now";

beforeEach(() => {
  forgetQueries();
  chooseScope("s");
  liveStatus.value = "live";
});

afterEach(cleanup);

/** The time in the tests. */
const AT = "2026-11-26T14:02:11.000Z";

/** Serves a scope in which so many tasks are in review, of which a page has two. */
function servingReviews(total: number): Asked[] {
  const summary = {
    scope: "s",
    at: AT,
    queues: { incoming: 0, provisional: total, approved: 3, done: 9 },
    oldest: { approved: "2026-11-26T13:50:11.000Z" },
    hours: [],
    needs_person: { questions: 0, actions: 0, interventions: 0, provisional: total },
  };
  const review = (id: string) => ({ id, title: `Work ${id}`, queue: "provisional", version: 1 });
  return serve({
    "GET /api/v1/summary": () => ({ body: summary }),
    "GET /api/v1/actions": () => ({ body: { actions: [], total: 0 } }),
    "GET /api/v1/orchestrators": () => ({ body: { orchestrators: [] } }),
    "GET /api/v1/tasks": ({ url }) => {
      const isReview = url.searchParams.get("queue") === "provisional";
      const tasks = isReview ? ["a", "b"].map(review) : [];
      return { body: { tasks, total: isReview ? total : 0 } };
    },
  });
}

test("all work to review is counted, the most urgent is shown, and a link leads to the rest", async () => {
  const asked = servingReviews(60);
  render(<NowView />);
  await screen.findByText("Work a");
  expect(screen.getByRole("heading", { name: "Needs you 60" })).toBeTruthy();
  const rest = screen.getByRole("link", { name: "and 58 more to review" });
  expect(rest.getAttribute("href")).toContain("/tasks?queue=provisional&sort=priority");
  expect(document.title).toContain("(60) Now");
  const reviews = asked.filter(({ url }) => url.searchParams.get("queue") === "provisional");
  expect(reviews.map(({ url }) => url.searchParams.get("sort"))).toEqual(["priority"]);
});

test("where all of it is shown, there is no link to the rest", async () => {
  servingReviews(2);
  render(<NowView />);
  await screen.findByText("Work a");
  expect(screen.getByRole("heading", { name: "Needs you 2" })).toBeTruthy();
  expect(screen.queryByText(/more/)).toBeNull();
});

test("what waits in other states of a flow is not left out", async () => {
  servingReviews(2);
  now.value = Date.parse(AT);
  render(<NowView />);
  const link = await screen.findByRole("link", { name: "3 tasks approved" });
  expect(link.getAttribute("href")).toContain("/tasks?queue=approved");
  expect(link.closest("p")?.textContent).toContain("for up to 12 min");
});
