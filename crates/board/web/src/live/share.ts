/**
 * One stream for all tabs of a browser, because a browser opens at most six connections to a host.
 * The tab that holds a lock reads the stream, and sends its events to the other tabs. When it
 * closes, another tab gets the lock, and reads on after the last event that it has received.
 *
 * Browsers have such locks only on https and on this machine; elsewhere each tab has a stream.
 */

import { visible } from "../state/waits";
import type { LiveStatus, PassingEvent, StoredEvent } from "./events";
import { Source, type SourceOutput } from "./source";

type Told =
  | { kind: "status"; status: LiveStatus }
  | { kind: "event"; event: StoredEvent }
  | { kind: "passing"; event: PassingEvent }
  | { kind: "gap" }
  | { kind: "tick" }
  | { kind: "hello" };

/** This tab's part in the shared stream. */
export class SharedSource {
  private readonly channel: BroadcastChannel;
  private readonly stopped = new AbortController();
  private source: Source | undefined;
  private status: LiveStatus = "connecting";
  private cursor: string | undefined;

  /** Tabs with the same `name` share a stream. It stands for a scope and a key. */
  constructor(
    private readonly name: string,
    private readonly output: SourceOutput,
  ) {
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = (message: MessageEvent<Told>) => this.onTold(message.data);
  }

  /** Takes part until `stop`. */
  async run(): Promise<void> {
    this.channel.postMessage({ kind: "hello" } satisfies Told);
    const { signal } = this.stopped;
    // Reading ends before `stop` only where a hidden page leaves polling to a visible one.
    while (!signal.aborted) {
      await this.readInTurn();
      await visible(signal);
    }
  }

  private async readInTurn(): Promise<void> {
    if (!("locks" in navigator)) return this.read();
    try {
      const { signal } = this.stopped;
      await navigator.locks.request(this.name, { signal }, () => this.read());
    } catch (error) {
      if (!this.stopped.signal.aborted) throw error;
    }
  }

  /** Stops. Another tab reads on. */
  stop(): void {
    this.stopped.abort();
    this.source?.stop();
    this.channel.close();
  }

  private async read(): Promise<void> {
    if (this.stopped.signal.aborted) return;
    this.source = new Source(
      {
        status: (status) => this.tell({ kind: "status", status }),
        event: (event) => this.tell({ kind: "event", event }),
        passing: (event) => this.tell({ kind: "passing", event }),
        gap: () => this.tell({ kind: "gap" }),
        tick: () => this.tell({ kind: "tick" }),
      },
      this.cursor,
    );
    await this.source.run();
    this.source = undefined;
  }

  private tell(told: Told): void {
    if (this.stopped.signal.aborted) return;
    this.channel.postMessage(told);
    this.onTold(told);
  }

  private onTold(told: Told): void {
    switch (told.kind) {
      case "status":
        this.status = told.status;
        return this.output.status(told.status);
      case "event":
        this.cursor = told.event.id;
        return this.output.event(told.event);
      case "passing":
        return this.output.passing(told.event);
      case "gap":
        return this.output.gap();
      case "tick":
        return this.output.tick();
      case "hello":
        if (!this.source) return;
        this.channel.postMessage({ kind: "status", status: this.status } satisfies Told);
    }
  }
}
