/** A fleet at work, in which every state that a board shows has something to show. */

import type { Page } from "playwright-core";

import type { Api, Result, Usage } from "./api";
import { CHANGELOG_PATCH, LOGIN_PATCH, RENAME_PATCH } from "./texts";
import { ONE_FAILED, PASSED, RUNNING_LOG } from "./texts";

/** The tasks of the fleet by what is the matter with them. */
export const FLEET = {
  /** At work on the laptop: progress, usage, a log, a message from a person. */
  running: "c0ffee12",
  /** At work on another machine, for the second time: the first attempt was rejected. */
  runningAgain: "d00d1e55",
  /** Handed in, with a patch and checks that passed. */
  review: "4f1c2a9b",
  /** Handed in, with a check that failed. */
  reviewFailing: "8e77a0c1",
  /** Waits for the answer to its agent's question. */
  question: "77aa01c3",
  /** Waits for `review`. */
  blocked: "9b77d0e1",
  /** Waits for `blocked`, and so for a chain of two. */
  blockedTwice: "b10c4ed2",
  /** Waits because its role is paused. */
  paused: "1e55d00d",
  /** Waits until a time. */
  delayed: "de1a7ed0",
  /** Waits for nothing: next in line. */
  next: "aa11bb22",
  /** Failed for good. */
  failed: "fa11ed01",
  /** Cancelled. */
  cancelled: "ca4ce11d",
  /** Done, the newest last. */
  done: ["d04e0001", "d04e0002", "d04e0003"],
} as const;

/** Waits until the view Now shows all of its lists: each is read by a request of its own. */
export async function nowIsRead(page: Page): Promise<void> {
  const rows = page.locator("[data-row]");
  await rows.filter({ hasText: "Which port should the mock use" }).first().waitFor();
  for (const list of ["Needs you", "Running", "Waiting"]) {
    await page.getByRole("region", { name: list }).getByRole("listitem").first().waitFor();
  }
}

/** A minute, in milliseconds. */
const MINUTE_MS = 60_000;

/** The leases of the fleet outlast any test, in seconds. */
const LEASE_SECONDS = 900;

/** Fills the scope. Tasks that agents hold are claimed before those that wait are created. */
export async function seedFleet(api: Api): Promise<void> {
  await seedMachines(api);
  await seedProjects(api);
  await seedFinished(api);
  await seedReviews(api);
  await seedQuestion(api);
  await seedRunning(api);
  await seedWaiting(api);
  await seedInbox(api);
}

async function seedMachines(api: Api): Promise<void> {
  const fleet = [
    { name: "laptop", slots: 3, busy: 1 },
    { name: "box-3", slots: 4, busy: 1 },
    { name: "box-4", slots: 4, busy: 0 },
    { name: "box-5", slots: 2, busy: 0 },
  ];
  for (const { name, slots, busy } of fleet) {
    const id = await api.registerMachine(name, { agents: ["claude", "codex"], cores: 8 });
    const roles = ["implement", "release", "import"];
    await api.heartbeat(id, { slots, busy, roles, pools: ["anthropic"], version: "0.3.0" });
  }
  await api.setMachine("home-box-4", "offline");
  await api.setMachine("home-box-5", "draining");
}

async function seedProjects(api: Api): Promise<void> {
  const project = { id: "PROJ-5e55104e", title: "Sessions that end", branch: "sessions" };
  await api.post("/projects", { ...project, description: "Log in once, be logged out once." });
  const drafts = [
    { title: "Warn before a session ends", author: "ada", tags: ["sessions", "idea"] },
    { title: "Import from a second tracker", author: "analyst", tags: ["import"] },
  ];
  for (const draft of drafts) {
    await api.post("/drafts", { ...draft, status: "idea", file_path: `drafts/${draft.title}.md` });
  }
}

async function seedFinished(api: Api): Promise<void> {
  const titles = ["Refuse wrong passwords", "Name the time zone", "Remove the old login"];
  for (const [index, id] of FLEET.done.entries()) {
    const held = await api.start({ id, title: titles[index] ?? id }, { seconds: LEASE_SECONDS });
    await api.submit(held, work("sessions", CHANGELOG_PATCH, 1, [3, 0]), usage(12_000, "0.31"));
    await api.accept(id);
  }
  const failed = { id: FLEET.failed, title: "Translate the manual", max_attempts: 1 };
  const held = await api.start(failed, { seconds: LEASE_SECONDS });
  await api.log(held, "reading 312 pages\nerror: the context is full\n");
  const message = "312 pages do not fit into the context of the model";
  await api.fail(held, "context_overflow", message, { usage: usage(190_000, "4.10") });
  await api.createTask({ id: FLEET.cancelled, title: "Support the old browser" });
  await api.cancel(FLEET.cancelled, "No user has it any more");
}

async function seedReviews(api: Api): Promise<void> {
  const login = { id: FLEET.review, title: "Fix the flaky login test", priority: "P1" };
  const content = "The test fails once a week. Find out why, and make it independent of the clock.";
  const project_id = "PROJ-5e55104e";
  const held = await api.start({ ...login, content, project_id }, { seconds: LEASE_SECONDS });
  await api.log(held, "reading src/login.test.ts\nrunning tests\n42 passed\n");
  await api.submit(held, work("sessions", LOGIN_PATCH, 3, [20, 8]), usage(31_200, "0.41"));
  const once = { id: FLEET.reviewFailing, title: "Read each file of an import once" };
  const second = await api.start(once, { seconds: LEASE_SECONDS, machine: "home-box-3" });
  const result = { ...work("import-once", RENAME_PATCH, 1, [4, 4]), checks: ONE_FAILED };
  await api.submit(second, result, usage(58_400, "0.93"));
}

async function seedQuestion(api: Api): Promise<void> {
  const task = { id: FLEET.question, title: "Mock the mail server" };
  const held = await api.start(task, { seconds: LEASE_SECONDS, agent: "slot-2" });
  await api.fail(held, "needs_input", "Which port should the mock use, 2525 or 1025?");
}

async function seedRunning(api: Api): Promise<void> {
  const again = { id: FLEET.runningAgain, title: "Update the changelog" };
  const first = await api.start(again, { seconds: LEASE_SECONDS, machine: "home-box-3" });
  await api.submit(first, work("changelog", CHANGELOG_PATCH, 1, [3, 0]), usage(8_100, "0.12"));
  await api.reject(FLEET.runningAgain, "Tests are missing: say how the importer was checked.");
  const options = { seconds: LEASE_SECONDS, machine: "home-box-3", agent: "slot-1" };
  const second = await api.claimTask(FLEET.runningAgain, options);
  const begun = { seconds: LEASE_SECONDS, usage: usage(1_900, "0.02") };
  await api.progress(second, "first output", begun);

  const parser = { id: FLEET.running, title: "Port the parser to winnow", priority: "P1" };
  const held = await api.start(parser, { seconds: LEASE_SECONDS, agent: "slot-2" });
  await api.log(held, RUNNING_LOG);
  const reached = { percent: 65, seconds: LEASE_SECONDS, usage: usage(88_000, "1.10") };
  await api.progress(held, "running tests", reached);
  await api.message(held.id, "ada", "Keep the public names, please.", { to_actor: "agent" });
}

async function seedWaiting(api: Api): Promise<void> {
  const release = { title: "Cut the release", role: "release", priority: "P1" };
  await api.createTask({ id: FLEET.blocked, ...release, blocked_by: FLEET.review });
  const announce = { title: "Announce the release", role: "release", priority: "P2" };
  await api.createTask({ id: FLEET.blockedTwice, ...announce, blocked_by: FLEET.blocked });
  await api.createTask({ id: FLEET.paused, title: "Speed up the importer", role: "import" });
  const until = new Date(Date.now() + 42 * MINUTE_MS);
  await api.pause("role:import", "The test data is being replaced", until);
  await api.pause("pool:anthropic", "The provider's limit is reached", until, "runner");
  const not_before = new Date(Date.now() + 120 * MINUTE_MS).toISOString();
  await api.createTask({ id: FLEET.delayed, title: "Rotate the certificates", not_before });
  await api.createTask({ id: FLEET.next, title: "Rename the crate", priority: "P3" });
}

async function seedInbox(api: Api): Promise<void> {
  await api.propose({
    entity_type: "task",
    entity_id: FLEET.failed,
    action_type: "split_task",
    label: "Split “Translate the manual” by chapter",
    description: "It failed because it does not fit into one context. Twelve parts would.",
    proposed_by: "analyst",
  });
}

/** The result of work on a branch. */
function work(branch: string, patch: string, files: number, lines: [number, number]): Result {
  const [insertions, deletions] = lines;
  const base_sha = "3f9c2ab0d1e4f5a6b7c8d9e0f1a2b3c4d5e6f708";
  const head_sha = "9a1d0c4e5f60718293a4b5c6d7e8f90a1b2c3d4e";
  const size = { files_changed: files, insertions, deletions };
  const summary = "The work is done, and the checks were run.";
  return { summary, branch, base_sha, head_sha, ...size, patch, checks: PASSED };
}

/** What a run used: tokens, and dollars as text. */
function usage(input_tokens: number, cost_usd: string): Usage {
  const rest = { output_tokens: Math.round(input_tokens / 12), turns: 14, wall_seconds: 480 };
  return { input_tokens, cached_tokens: input_tokens * 3, cost_usd, ...rest };
}

