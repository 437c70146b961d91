/** Events of the journal, and the messages on streams that are not stored. */

import type { components } from "../api/schema";

/** A change that the journal keeps. */
export type StoredEvent = components["schemas"]["JournalEvent"];

/** A message that only streams carry: progress, a renewal or a heartbeat. */
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
  /** Too many events arrive: the board reads summaries instead. */
  | "busy"
  /** The connection is lost, and is tried again. */
  | "reconnecting"
  /** The user has stopped it. */
  | "paused";

/** What is called about changes on the server. */
export interface Listener {
  /** Something has changed. */
  onEvent?(event: StoredEvent): void;
  /** A message arrived that the journal does not keep. */
  onPassing?(event: PassingEvent): void;
  /** Events were missed: data that was read before may be old. */
  onGap?(): void;
  /** Called under load instead of `onEvent`: summaries are to be read again. */
  onTick?(): void;
}
