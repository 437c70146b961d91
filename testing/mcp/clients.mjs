// The official SDKs' clients for JavaScript, in both eras of the protocol, over HTTP and on standard
// input and output.
//
// OCTOPOID_SERVER is the server, API_SECRET_KEY its administrator's key, OCTOPOID_BIN the program for
// standard input and output. An argument chooses some of the clients by a part of their name.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as modern from "@modelcontextprotocol/client";
import * as modernStdio from "@modelcontextprotocol/client/stdio";
import * as legacy from "@modelcontextprotocol/sdk/client/index.js";
import * as legacyHttp from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as legacyStdio from "@modelcontextprotocol/sdk/client/stdio.js";

import { converse } from "./conversation.mjs";

const { OCTOPOID_SERVER: server, API_SECRET_KEY: admin, OCTOPOID_BIN: program } = process.env;
const info = { name: "octopoid-test", version: "1.0.0" };

/// An SDK in one era: how to make a client and its transports, and the version to agree on.
const SDKS = [
  ["client-2026-07-28", "2026-07-28", ofClient({ pin: "2026-07-28" })],
  ["client-auto", "2026-07-28", ofClient("auto")],
  ["client-legacy", "2025-11-25", ofClient("legacy")],
  ["sdk-legacy", "2025-11-25", {
    client: () => new legacy.Client(info),
    http: legacyHttp.StreamableHTTPClientTransport,
    stdio: legacyStdio.StdioClientTransport,
    version: (_, transport) => transport.protocolVersion,
  }],
];

function ofClient(mode) {
  return {
    client: () => new modern.Client(info, { versionNegotiation: { mode } }),
    http: modern.StreamableHTTPClientTransport,
    stdio: modernStdio.StdioClientTransport,
    version: (client) => client.getNegotiatedProtocolVersion(),
  };
}

/// A key for a scope of its own.
async function issue(scope) {
  const answer = await fetch(`${server}/api/v1/admin/keys`, {
    method: "POST",
    headers: { Authorization: `Bearer ${admin}`, "Content-Type": "application/json" },
    body: JSON.stringify({ scope, label: scope, permission: "manage" }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).api_key;
}

function http(Transport, key) {
  const headers = { Authorization: `Bearer ${key}` };
  return new Transport(new URL(`${server}/mcp`), { requestInit: { headers } });
}

function stdio(Transport, key, home) {
  const env = { OCTOPOID_SERVER: server, OCTOPOID_KEY: key, HOME: home, XDG_CONFIG_HOME: home };
  return new Transport({ command: program, args: ["mcp"], env, cwd: home, stderr: "inherit" });
}

/// Connects, talks, and leaves.
async function talk(name, version, sdk, transport) {
  const client = sdk.client();
  await client.connect(transport);
  try {
    // The older SDK hides the version where there are no headers to put it in.
    const agreed = sdk.version(client, transport);
    assert.ok(agreed === version || agreed === undefined, `${name}: ${agreed}`);
    assert.equal(client.getServerVersion().name, "octopoid");
    const calls = await converse(client);
    console.log(`ok ${name}: ${agreed ?? "initialize"}, ${calls} calls`);
  } finally {
    await client.close();
  }
}

/// Over HTTP, a wrong key is a 401 that the SDK reports, and not the beginning of a login.
async function isRefused(name, sdk) {
  const client = sdk.client();
  const connecting = client.connect(http(sdk.http, "wrong"));
  await assert.rejects(connecting, (error) => /401|unauthorized/i.test(`${error.code} ${error.status} ${error}`));
  console.log(`ok ${name}: a wrong key is refused`);
}

/// On standard input and output, every call says what is wrong with the key.
async function isTold(name, sdk, home) {
  const client = sdk.client();
  await client.connect(stdio(sdk.stdio, "wrong", home));
  try {
    const { content, isError } = await client.callTool({ name: "board", arguments: {} });
    assert.ok(isError);
    assert.match(content[0].text, /octopoid mcp config shows how/);
    console.log(`ok ${name}: a wrong key is told`);
  } finally {
    await client.close();
  }
}

const home = await mkdtemp(join(tmpdir(), "octopoid-mcp-"));
try {
  const chosen = process.argv[2] ?? "";
  for (const [sdkName, version, sdk] of SDKS) {
    for (const way of ["http", "stdio"]) {
      const name = `js-${sdkName}-${way}`;
      if (!name.includes(chosen)) {
        continue;
      }
      const key = await issue(`${name}-${process.pid}`);
      if (way === "http") {
        await talk(name, version, sdk, http(sdk.http, key));
        await isRefused(name, sdk);
      } else {
        await talk(name, version, sdk, stdio(sdk.stdio, key, home));
        await isTold(name, sdk, home);
      }
    }
  }
} finally {
  await rm(home, { recursive: true });
}
