/** The operations of the server that the board uses, one function each. */

import { idempotencyKey, request, type Query } from "./http";
import type {
  Action,
  ActionList,
  Draft,
  DraftList,
  EventPage,
  FlowList,
  History,
  LogPart,
  Message,
  MessageList,
  NewTask,
  OrchestratorList,
  OrchestratorView,
  Pause,
  PauseList,
  Project,
  ProjectList,
  RoleList,
  RunDetails,
  RunList,
  RunningList,
  Scopes,
  Summary,
  Task,
  TaskList,
  Why,
} from "./types";

type Signal = AbortSignal | undefined;

const API = "/api/v1";

function get<T>(path: string, query: Query = {}, signal?: Signal): Promise<T> {
  return request<T>("GET", API + path, { query, signal });
}

function post<T>(path: string, body: unknown, version?: number): Promise<T> {
  return request<T>("POST", API + path, { body, version, headers: idempotencyKey() });
}

function task(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

export const getScopes = (signal?: Signal) => get<Scopes>("/scopes", { scope: "" }, signal);
/** The summary. The server may answer with one that is up to `maxAge` seconds old. */
export const getSummary = (signal?: Signal, maxAge = 0) =>
  request<Summary>("GET", `${API}/summary`, {
    headers: maxAge > 0 ? { "Cache-Control": `max-age=${maxAge}` } : {},
    signal,
  });

export const listTasks = (query: Query, signal?: Signal) => get<TaskList>("/tasks", query, signal);
export const getTask = (id: string, signal?: Signal) => get<Task>(task(id), {}, signal);
export const explainTask = (id: string, signal?: Signal) =>
  get<Why>(`${task(id)}/why`, {}, signal);
export const getHistory = (id: string, query: Query, signal?: Signal) =>
  get<History>(`${task(id)}/history`, query, signal);
export const listRuns = (id: string, query: Query, signal?: Signal) =>
  get<RunList>(`${task(id)}/runs`, query, signal);
export const getRun = (id: string, run: number, signal?: Signal) =>
  get<RunDetails>(`${task(id)}/runs/${run}`, {}, signal);
/** The runs of all tasks that have not ended. */
export const listRunning = (query: Query, signal?: Signal) =>
  get<RunningList>("/runs", query, signal);
export const getThread = (id: string, signal?: Signal) =>
  get<MessageList>(`${task(id)}/messages`, {}, signal);

export const createTask = (body: Partial<NewTask>) => post<Task>("/tasks", body);
export const patchTask = (id: string, body: object, version?: number) =>
  request<Task>("PATCH", API + task(id), { body, version });

/** The steps that people take. */
export type Step = "accept" | "reject" | "requeue" | "cancel" | "retry" | "force-queue";

/** Takes a step. Repeated with the same `key`, it is carried out once. */
export const takeStep = (
  id: string,
  step: Step,
  body: object,
  version?: number,
  key = idempotencyKey(),
) =>
  request<Task>("POST", `${API}${task(id)}/${step}`, { body, version, headers: key });

/** A part of a log. With `wait`, the answer comes when there is more, or after `wait` seconds. */
export const readLog = (
  id: string,
  run: number,
  at: { offset: number; limit?: number; wait?: number },
  signal?: Signal,
) =>
  request<LogPart>("GET", `${API}${task(id)}/runs/${run}/log`, {
    query: { offset: at.offset, limit: at.limit },
    headers: at.wait ? { Prefer: `wait=${at.wait}` } : {},
    signal,
  });

export const listMachines = (query: Query = {}, signal?: Signal) =>
  get<OrchestratorList>("/orchestrators", query, signal);
export const patchMachine = (id: string, body: { status: string }) =>
  request<OrchestratorView>("PATCH", `${API}/orchestrators/${encodeURIComponent(id)}`, { body });

export const listPauses = (signal?: Signal) => get<PauseList>("/pauses", {}, signal);
export const putPause = (target: string, body: object) =>
  request<Pause>("PUT", `${API}/pauses/${encodeURIComponent(target)}`, { body });
export const deletePause = (target: string) =>
  request<unknown>("DELETE", `${API}/pauses/${encodeURIComponent(target)}`);

export const listActions = (query: Query, signal?: Signal) =>
  get<ActionList>("/actions", query, signal);
/** Ends an action, or has it carried out. */
export const endAction = (id: string, how: "complete" | "fail" | "execute", body: object) =>
  post<Action>(`/actions/${encodeURIComponent(id)}/${how}`, body);

export const createMessage = (body: object) => post<Message>("/messages", body);

export const listEvents = (query: Query, signal?: Signal) =>
  get<EventPage>("/events", query, signal);

export const listFlows = (signal?: Signal) => get<FlowList>("/flows", {}, signal);
export const listRoles = (signal?: Signal) => get<RoleList>("/roles", {}, signal);

export const listProjects = (query: Query, signal?: Signal) =>
  get<ProjectList>("/projects", query, signal);
export const getProject = (id: string, signal?: Signal) =>
  get<Project>(`/projects/${encodeURIComponent(id)}`, {}, signal);
export const createProject = (body: object) => post<Project>("/projects", body);
export const patchProject = (id: string, body: object) =>
  request<Project>("PATCH", `${API}/projects/${encodeURIComponent(id)}`, { body });

export const listDrafts = (query: Query, signal?: Signal) =>
  get<DraftList>("/drafts", query, signal);
export const createDraft = (body: object) => post<Draft>("/drafts", body);
export const patchDraft = (id: string, body: object) =>
  request<Draft>("PATCH", `${API}/drafts/${encodeURIComponent(id)}`, { body });
export const deleteDraft = (id: string) =>
  request<unknown>("DELETE", `${API}/drafts/${encodeURIComponent(id)}`);
export const promoteDraft = (id: string, body: object) =>
  post<{ task: Task | null; project: Project | null }>(
    `/drafts/${encodeURIComponent(id)}/promote`,
    body,
  );

/** Exchanges the code of a one-time link for a key. */
export const login = (code: string) =>
  request<{ api_key: string; scope: string }>("POST", "/login", { body: { code } });
