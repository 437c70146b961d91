/** Requests to the server: the key, the scope, and errors in the words of the server. */

import { randomHex } from "./names";
import { apiKey, forgetKey, scope } from "../state/session";

/** What the server says about a request that it did not carry out. */
export class ApiError extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** The stable code of the error. */
  readonly code: string;
  /** After how many seconds the server wants to be asked again, if it has said so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, text: string, retryAfter?: number) {
    super(text);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether the object was changed by another client meanwhile. */
  get isConflict(): boolean {
    return this.status === 409 || this.status === 412;
  }
}

/** The values of a query; those that are undefined or empty are left out. */
export type Query = Record<string, string | number | boolean | undefined>;

/** What a request has beside its path. */
interface RequestOptions {
  query?: Query;
  body?: unknown;
  /** The version of the task that the change is based on. */
  version?: number | undefined;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

/** An answer takes longer than this only if the connection is gone, in milliseconds. */
const ANSWER_MAX_MS = 20_000;

/** The query of a request as text, with its `?`. */
export function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]));
  return text.size > 0 ? `?${text}` : "";
}

/** The headers that say who asks. */
export function identity(): Record<string, string> {
  return apiKey.value ? { Authorization: `Bearer ${apiKey.value}` } : {};
}

/** Sends a request about the scope that is shown, and returns the JSON of the answer. */
export async function request<T>(
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<T> {
  const headers: Record<string, string> = { ...identity(), ...options.headers };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.version !== undefined) headers["If-Match"] = `"v${options.version}"`;
  const query = queryText({ scope: scope.value, ...options.query });
  const limits = [AbortSignal.timeout(ANSWER_MAX_MS)];
  if (options.signal) limits.push(options.signal);
  let response: Response;
  try {
    response = await fetch(path + query, {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: AbortSignal.any(limits),
      credentials: "omit",
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ApiError(0, "unreachable", "The server does not answer");
  }
  return answerOf<T>(response);
}

async function answerOf<T>(response: Response): Promise<T> {
  const json = parsed(await response.text());
  if (response.ok) return json as T;
  const problem = (json ?? {}) as Problem;
  if (response.status === 401) forgetKey();
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(seconds) ? undefined : seconds;
  const text = said(response, problem);
  throw new ApiError(response.status, problem.code ?? "unknown", text, retryAfter);
}

/** What an answer that is no success may say. */
interface Problem {
  error?: string;
  code?: string;
  message?: string;
  details?: string[];
}

/** What a person reads: what was not done, and why. */
function said(response: Response, { message, error, details = [] }: Problem): string {
  const text = message ?? error ?? `The server answered ${response.status}`;
  return [text, ...details].join(": ");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A fresh `Idempotency-Key`, so that a repeated request is carried out once. */
export function idempotencyKey(): Record<string, string> {
  return { "Idempotency-Key": randomHex(16) };
}
