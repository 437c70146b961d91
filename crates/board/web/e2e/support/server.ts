/** The real server, on a database of its own. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Api } from "./api";
import { Program } from "./process";

/** How a server is started. */
export interface ServerOptions {
  /** Whether requests need a key. By default they do not. */
  auth?: "open" | "required";
  /** The administrator's token. By default a server that needs keys has `ADMIN_TOKEN`. */
  adminToken?: string;
  /** More options of `octopoid serve`, such as `--lease-grace` and `0s`. */
  flags?: readonly string[];
}

/** The administrator's token of a server that needs keys. */
const ADMIN_TOKEN = "board-test-admin-token-0123456789";

/** The scope that tests use if they need only one. */
export const SCOPE = "my-repo";

/** How long a server may take until it listens, in milliseconds. */
const START_MAX_MS = 30_000;

/** A running server. */
export class Server {
  /** Where it listens, such as `http://127.0.0.1:43210`. It stays the same after a restart. */
  url = "";
  private program: Program | undefined;

  private constructor(
    private readonly folder: string,
    private readonly options: ServerOptions,
  ) {}

  /** Starts a server on an empty database, and waits until it is ready. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "octopoid-board-"));
    const server = new Server(folder, options);
    await server.run("127.0.0.1:0");
    return server;
  }

  /** A client of one scope. Without a key it is the administrator, if there is one. */
  api(scope = SCOPE, key = this.adminToken): Api {
    return new Api(this.url, scope, key);
  }

  /** Ends the server, and keeps its database and its port for `resume`. */
  async pause(): Promise<void> {
    await this.program?.stop();
    this.program = undefined;
  }

  /** Starts it again after `pause`, at the same address. */
  async resume(): Promise<void> {
    await this.run(new URL(this.url).host);
  }

  /** Ends the server, and deletes its database. */
  async stop(): Promise<void> {
    await this.pause();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get adminToken(): string | undefined {
    return this.options.adminToken ?? (this.options.auth === "required" ? ADMIN_TOKEN : undefined);
  }

  private async run(address: string): Promise<void> {
    const args = ["serve", "--listen", address, "--auth", this.options.auth ?? "open"];
    args.push("--database", `sqlite:${join(this.folder, "octopoid.db")}`);
    args.push(...(this.options.flags ?? []));
    this.program = new Program(binary(), args, environment(this.adminToken));
    const [, host] = await this.program.prints(/listening on http:\/\/([\d.:]+)/, START_MAX_MS);
    this.url = `http://${host}`;
    const ready = await fetch(`${this.url}/readyz`);
    if (!ready.ok) throw new Error(`/readyz answers ${ready.status}: ${await ready.text()}`);
  }
}

/** The binary under test, which `cargo xtask board test` builds and names. */
function binary(): string {
  const path = process.env.OCTOPOID_BIN;
  if (path) return path;
  throw new Error("OCTOPOID_BIN is not set: run `cargo xtask board test -- <file>`");
}

/** The environment without what the developer has set for another server. */
function environment(adminToken: string | undefined): NodeJS.ProcessEnv {
  const foreign = /^(OCTOPOID_|DATABASE_URL$|PORT$|API_SECRET_KEY$)/;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  const added = adminToken === undefined ? {} : { API_SECRET_KEY: adminToken };
  return { ...Object.fromEntries(kept), ...added };
}
