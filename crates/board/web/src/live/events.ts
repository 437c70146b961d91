/** Events of the journal, and the messages on streams that are not stored. */

import type { components } from "../api/schema";

/** A change that the journal keeps. */
export type StoredEvent = components["schemas"]["JournalEvent"];

/** What streams show and nothing keeps: progress, renewals and heartbeats. */
export interface PassingEvent {
  type: string;
  at: string;
  scope: string;
  subject: { kind: string; id: string };
  details: Record<string, unknown>;
}

/** The connection to the server's events, as it is shown. */
export type LiveStatus =
  /** Not tried yet. */
  | "connecting"
  /** Events arrive on a stream. */
  | "live"
  /** Events are asked for, because the server has no streams. */
  | "polling"
  /** So much changes that the board reads summaries instead. */
  | "busy"
  /** The connection is lost, and is tried again. */
  | "reconnecting"
  /** The user has stopped it. */
  | "paused";

/** What is told about the server. */
export interface Listener {
  /** Something has changed. */
  onEvent?(event: StoredEvent): void;
  /** Something has happened that nothing keeps. */
  onPassing?(event: PassingEvent): void;
  /** Events were missed: whatever was read before may be old. */
  onGap?(): void;
  /** Under load, instead of single events: summaries are to be read again. */
  onTick?(): void;
}
