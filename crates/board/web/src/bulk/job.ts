/** A change of many tasks, from the count of what it does to the list of what was refused. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";

import { ApiError } from "../api/http";
import type { Flow } from "../api/types";
import { scope } from "../state/session";
import { planOf, type Change, type Plan, type Values } from "./changes";
import { queuesFor, rulesOf, type RulesByFlow } from "./flows";
import { runAll, type Progress } from "./run";
import { collect, type Source, type Target } from "./targets";

/** Where a job is. */
type Phase = "counting" | "ready" | "running" | "ended";

/** A change of many tasks. */
export class Job {
  readonly phase = signal<Phase>("counting");
  /** How many tasks have been found. */
  readonly found = signal(0);
  /** Why the tasks could not be found. */
  readonly problem = signal<string | undefined>(undefined);
  readonly values = signal<Values>({ reason: "", queue: "", priority: "P1" });
  readonly progress = signal<Progress<Target>>({ changed: 0, refused: [] });
  /** What the job will do. */
  readonly plan: ReadonlySignal<Plan>;
  /** The tasks for which requests are sent. */
  sent: readonly Target[] = [];
  private readonly tasks = signal<readonly Target[]>([]);
  private rules: RulesByFlow = new Map();
  private readonly stopped = new AbortController();

  constructor(
    readonly change: Change,
    private readonly source: Source,
  ) {
    this.plan = computed(() => planOf(change, this.tasks.value, this.values.value, this.rules));
  }

  /** The queues that the tasks can be moved to. */
  get queues(): string[] {
    return queuesFor(this.tasks.value, this.rules);
  }

  /** Whether the user has ended the job before it was done. */
  get isStopped(): boolean {
    return this.stopped.signal.aborted;
  }

  /** How many tasks are neither changed nor refused yet. */
  get left(): number {
    const { changed, refused } = this.progress.value;
    return this.sent.length - changed - refused.length;
  }

  /** Finds the tasks, and plans the change. */
  async count(loadFlows: () => Promise<readonly Flow[]>): Promise<void> {
    const { signal: stop } = this.stopped;
    try {
      const onMore = (count: number) => (this.found.value = count);
      const [flows, tasks] = await Promise.all([loadFlows(), collect(this.source, stop, onMore)]);
      this.rules = rulesOf(flows);
      this.tasks.value = tasks;
      this.found.value = tasks.length;
      this.set({ queue: this.queues[0] ?? "incoming" });
      this.phase.value = "ready";
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.problem.value = error.message;
    }
  }

  /** Notes what the user fills in. */
  set(values: Partial<Values>): void {
    this.values.value = { ...this.values.value, ...values };
  }

  /** Whether something is left out that the change needs. */
  get isIncomplete(): boolean {
    return this.change.reason === "required" && this.values.value.reason.trim() === "";
  }

  /** Changes the tasks. */
  async start(): Promise<void> {
    if (this.phase.value !== "ready" || this.isIncomplete) return;
    this.sent = this.plan.value.sent;
    this.phase.value = "running";
    const values = { ...this.values.value, reason: this.values.value.reason.trim() };
    const requests = new Map<string, () => Promise<unknown>>();
    const send = async (task: Target) => {
      const request = requests.get(task.id) ?? this.change.prepare(task, values);
      requests.set(task.id, request);
      await request();
      requests.delete(task.id);
    };
    const onProgress = (progress: Progress<Target>) => (this.progress.value = progress);
    const release = this.guard();
    try {
      await runAll(this.sent, send, this.stopped.signal, onProgress);
    } finally {
      release();
      this.phase.value = "ended";
    }
  }

  /** Warns before the page is left, and stops when another scope is shown: requests name it. */
  private guard(): () => void {
    const own = scope.value;
    const dispose = scope.subscribe((shown) => {
      if (shown !== own) this.stop();
    });
    window.addEventListener("beforeunload", warn);
    return () => {
      dispose();
      window.removeEventListener("beforeunload", warn);
    };
  }

  /** Sends no more requests. */
  stop(): void {
    this.stopped.abort();
  }
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** The job in progress, or one whose result was not closed yet. */
export const job = signal<Job | undefined>(undefined);

/** Whether the job's panel is open. */
export const isJobOpen = signal(false);
