/** The API as tests call it: as an agent, as a machine, or as another person. */

import type { components } from "../../src/api/schema";

type Schemas = components["schemas"];

/** A task as the server returns it. */
export type Task = Schemas["Task"];

/** The fields of a new task; those that a test does not care about are filled in. */
export type TaskFields = Partial<Schemas["NewTask"]> & { id: string };

/** What a run has used. */
export type Usage = Partial<Schemas["Usage"]>;

/** A command that the runner ran after the agent. */
export interface Check {
  name: string;
  command: string;
  exit_code: number;
  seconds: number;
  tail: string;
}

/** What a run hands in. */
export interface Result {
  summary?: string;
  branch?: string;
  base_sha?: string;
  head_sha?: string;
  files_changed?: number;
  insertions?: number;
  deletions?: number;
  patch?: string;
  patch_truncated?: boolean;
  checks?: Check[];
  pr_url?: string;
}

/** How a task is claimed. */
interface ClaimOptions {
  agent?: string;
  machine?: string;
  queue?: string;
  role?: string;
  pools?: string[];
  /** How long the lease is, in seconds. */
  seconds?: number;
  /** Whether the task stays in its queue: a review. */
  inPlace?: boolean;
}

/** What a run reports beside a message. */
interface Progress {
  /** How far it is, from 0 to 100. */
  percent?: number;
  usage?: Usage;
  /** How long the lease is from now on, in seconds. */
  seconds?: number;
}

/** A task with the lease that a claim granted. */
export type Claimed = Task & { lease_token: string; run: number };

/** An answer that is not a success. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    request: string,
  ) {
    super(`${request} answers ${status}: ${body}`);
  }
}

/** A client of one scope. Its functions fail unless the server carries out what they ask for. */
export class Api {
  /** The agent by whose name tasks are claimed, unless a claim says another. */
  readonly agent = "slot-1";
  /** The machine by whose name tasks are claimed, unless a claim says another. */
  readonly machine = "home-laptop";

  constructor(
    readonly url: string,
    readonly scope: string,
    readonly key?: string,
  ) {}

  /** Sends a request below `/api/v1`, and returns the JSON of the answer. */
  async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (this.key !== undefined) headers.Authorization = `Bearer ${this.key}`;
    const url = `${this.url}/api/v1${path}`;
    const answer = await fetch(url, { method, headers, body: body ? JSON.stringify(body) : null });
    const text = await answer.text();
    if (!answer.ok) throw new Refused(answer.status, text, `${method} ${path}`);
    return JSON.parse(text) as T;
  }

  /** Reads something of the scope. `query` is added to the address. */
  get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    return this.send("GET", `${path}?${new URLSearchParams({ scope: this.scope, ...query })}`);
  }

  /** Sends an object that belongs to the scope. */
  post<T>(path: string, body: object = {}): Promise<T> {
    return this.send("POST", path, { scope: this.scope, ...body });
  }

  /** A task as it is now. */
  task(id: string): Promise<Task> {
    return this.get(taskPath(id));
  }

  /** Creates a task. */
  createTask(fields: TaskFields): Promise<Task> {
    const defaults = { file_path: `tasks/${fields.id}.md`, branch: "main", role: "implement" };
    return this.post("/tasks", { ...defaults, ...fields });
  }

  /** Claims the most urgent task that matches. */
  claim(options: ClaimOptions = {}): Promise<Claimed> {
    return this.post("/tasks/claim", {
      agent_name: options.agent ?? this.agent,
      orchestrator_id: options.machine ?? this.machine,
      queue: options.queue,
      role_filter: options.role,
      pools: options.pools,
      lease_duration_seconds: options.seconds,
      in_place: options.inPlace,
    });
  }

  /** Creates a task and claims it. It fails if another task is more urgent. */
  async start(fields: TaskFields, options: ClaimOptions = {}): Promise<Claimed> {
    await this.createTask(fields);
    return this.claimTask(fields.id, options);
  }

  /** Claims a task that must be the most urgent one. */
  async claimTask(id: string, options: ClaimOptions = {}): Promise<Claimed> {
    const claimed = await this.claim(options);
    if (claimed.id !== id) throw new Error(`${claimed.id} was claimed instead of ${id}`);
    return claimed;
  }

  /** Reports how far a run is, and renews its lease. */
  progress(held: Claimed, message: string, more: Progress = {}): Promise<unknown> {
    const { percent, usage, seconds } = more;
    const { lease_token } = held;
    const body = { lease_token, progress: { message, percent }, usage };
    const path = `${taskPath(held.id)}/renew`;
    return this.post(path, { ...body, lease_duration_seconds: seconds });
  }

  /** Appends to the log of a run at a byte offset, and returns where the next text begins. */
  async log(held: Claimed, text: string, offset = 0): Promise<number> {
    const body = { lease_token: held.lease_token, offset, text };
    const answer = await this.post<{ next_offset: number }>(`${taskPath(held.id)}/log`, body);
    return answer.next_offset;
  }

  /** Hands in a run's work. */
  submit(held: Claimed, result: Result = {}, usage?: Usage): Promise<Task> {
    const { lease_token, claimed_by } = held;
    const counts = { commits_count: 1, turns_used: usage?.turns ?? 1 };
    const body = { lease_token, agent_name: claimed_by, ...counts, result, usage };
    return this.post(`${taskPath(held.id)}/submit`, body);
  }

  /** Ends a run without its work. */
  fail(held: Claimed, reason: string, message: string, more: object = {}): Promise<Task> {
    const body = { lease_token: held.lease_token, reason, message, ...more };
    return this.post(`${taskPath(held.id)}/fail`, body);
  }

  /** Accepts what was handed in. */
  accept(id: string, by = "ada"): Promise<Task> {
    return this.post(`${taskPath(id)}/accept`, { accepted_by: by });
  }

  /** Returns what was handed in, with a reason for the next attempt. */
  reject(id: string, reason: string, by = "ada"): Promise<Task> {
    return this.post(`${taskPath(id)}/reject`, { rejected_by: by, reason });
  }

  /** Cancels a task. */
  cancel(id: string, reason: string, by = "ada"): Promise<Task> {
    return this.post(`${taskPath(id)}/cancel`, { by, reason });
  }

  /** Moves a task to any queue. */
  move(id: string, queue: string, reason: string): Promise<Task> {
    return this.post(`${taskPath(id)}/force-queue`, { queue, reason });
  }

  /** Changes fields of a task. */
  patch(id: string, fields: object): Promise<Task> {
    return this.send("PATCH", taskPath(id), fields);
  }

  /** Registers a machine, and returns its id. */
  async registerMachine(name: string, capabilities: object = {}): Promise<string> {
    const body = { cluster: "home", machine_id: name, hostname: name, version: "0.3.0" };
    const repository = { repo_url: "https://example.org/my-repo.git", capabilities };
    await this.post("/orchestrators/register", { ...body, ...repository });
    return `home-${name}`;
  }

  /** Sends the heartbeat of a machine. */
  heartbeat(machine: string, body: object = {}): Promise<unknown> {
    return this.post(`/orchestrators/${encodeURIComponent(machine)}/heartbeat`, body);
  }

  /** Sets the status of a machine: `active`, `offline`, `maintenance` or `draining`. */
  setMachine(machine: string, status: string): Promise<unknown> {
    return this.send("PATCH", `/orchestrators/${encodeURIComponent(machine)}`, { status });
  }

  /** Writes a message about a task. */
  message(id: string, from: string, content: string, more: object = {}): Promise<unknown> {
    const body = { task_id: id, from_actor: from, type: "comment", content, ...more };
    return this.post("/messages", body);
  }

  /** Proposes an action to a person. */
  propose(body: object): Promise<Schemas["Action"]> {
    return this.post("/actions", body);
  }

  /** Pauses `scope`, `queue:NAME`, `role:NAME` or `pool:NAME`. */
  pause(target: string, reason: string, until?: Date, by = "ada"): Promise<unknown> {
    const body = { scope: this.scope, reason, by, until: until?.toISOString() };
    return this.send("PUT", `/pauses/${encodeURIComponent(target)}`, body);
  }

  /** Issues a key of the scope, which only an administrator or a manager may. */
  async issueKey(permission: "read" | "work" | "manage" | "login"): Promise<string> {
    const body = { permission, label: `${permission} key` };
    return (await this.post<{ api_key: string }>("/admin/keys", body)).api_key;
  }
}

/** The path of a task below `/api/v1`. */
function taskPath(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}
