/** What flows allow: their states and the transitions between them. */

import type { Flow } from "../api/types";
import { flowsQuery } from "./lists";
import { queryNamed } from "./queries";

/** A step that a flow allows from one state to another. */
export interface Transition {
  from: string;
  to: string;
}

/** The registered flows. Reads them if they are not known, and throws if that fails. */
export async function knownFlows(): Promise<readonly Flow[]> {
  return (await queryNamed(flowsQuery).current()).flows;
}

/** The states of a flow, which the server returns as JSON text. */
export function statesOf(flow: Pick<Flow, "states">): string[] {
  return listOf(flow.states).filter((state) => typeof state === "string");
}

/** The transitions of a flow, which the server returns as JSON text. */
export function transitionsOf(flow: Pick<Flow, "transitions">): Transition[] {
  return listOf(flow.transitions).filter(isTransition);
}

function listOf(json: string): unknown[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value : [];
}

function isTransition(value: unknown): value is Transition {
  const { from, to } = (value ?? {}) as Partial<Transition>;
  return typeof from === "string" && typeof to === "string";
}
