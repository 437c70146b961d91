/** The types of the wire, under the names that views use. They are generated from openapi.json. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Action = Schemas["Action"];
export type ActionList = Schemas["ActionList"];
export type Draft = Schemas["Draft"];
export type DraftList = Schemas["DraftList"];
export type Flow = Schemas["Flow"];
export type FlowList = Schemas["FlowList"];
export type History = Schemas["History"];
export type HistoryEvent = Schemas["Event"];
export type EventPage = Schemas["EventList"];
export type ListedTask = Schemas["ListedTask"];
export type LogPart = Schemas["LogPart"];
export type Message = Schemas["Message"];
export type MessageList = Schemas["MessageList"];
export type NewTask = Schemas["NewTask"];
export type OrchestratorView = Schemas["OrchestratorView"];
export type OrchestratorList = Schemas["OrchestratorList"];
export type Pause = Schemas["Pause"];
export type PauseList = Schemas["PauseList"];
export type Project = Schemas["Project"];
export type ProjectList = Schemas["ProjectList"];
export type Reason = Schemas["Reason"];
export type RoleList = Schemas["RoleList"];
export type Run = Schemas["Run"];
export type RunDetails = Schemas["RunDetails"];
export type RunList = Schemas["RunList"];
export type RunningRun = Schemas["RunningView"];
export type RunningList = Schemas["RunningList"];
export type Scopes = Schemas["ScopeList"];
export type Summary = Schemas["Summary"];
export type Task = Schemas["Task"];
export type TaskList = Schemas["TaskList"];
export type Usage = Schemas["Usage"];
export type Waiting = Schemas["Waiting"];
export type Why = Schemas["Why"];
