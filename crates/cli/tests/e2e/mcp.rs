//! The Model Context Protocol on the standard input and output, and what clients are configured with.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use octopoid_testbed::conversation::{Talk, Transport, five_tasks};
use serde_json::{Value, json};

use crate::program::{World, wait};

/// A client that has started the program. It is killed with its guard.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    fn start(world: &World, line: &str) -> Self {
        let mut command = world.command(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, child }
    }

    fn write(&mut self, message: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Closes the standard input, and waits for the end.
    fn close(mut self) -> Option<i32> {
        self.stdin = None;
        self.child.wait().unwrap().code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Transport for &mut Client {
    async fn send(&mut self, request: Value) -> anyhow::Result<Value> {
        self.write(&request.to_string());
        Ok(self.read())
    }
}

fn next(id: i64, wait: i64) -> String {
    let params = json!({"name": "task_next", "arguments": {"wait_seconds": wait}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

#[test]
fn five_tasks_live_by_tools_alone() {
    let world = World::new();
    let mut client = Client::start(&world, "mcp");
    wait(five_tasks(&mut Talk::over(&mut client))).unwrap();
    assert_eq!(client.close(), Some(0));
    // Tasks of a person's agent are the person's.
    let tasks = world.ok("task list --queue done");
    assert!(tasks.contains("Translate"), "{tasks}");
}

#[test]
fn a_client_connects_while_the_server_is_away() {
    let world = World::alone();
    let mut client = Client::start(&world, "mcp --server http://127.0.0.1:9");
    client.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    client.write("");
    client.write("nonsense");
    assert_eq!(client.read()["error"]["code"], -32700);
    client.write(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(client.read()["result"]["tools"].as_array().unwrap().len(), 7);
    client.write(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"board"}}"#);
    let result = &client.read()["result"];
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("The server at http://127.0.0.1:9 cannot be reached"), "{text}");
    assert!(text.contains("octopoid up or octopoid serve"), "{text}");
    assert_eq!(result["isError"], true);
    assert_eq!(client.close(), Some(0));
}

#[test]
fn a_wait_holds_nothing_up_and_can_be_cancelled() {
    let world = World::new();
    let mut client = Client::start(&world, "mcp");
    client.write(&next(1, 50));
    client.write(PING);
    assert_eq!(client.read()["id"], "p");
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    client.write(&cancelled.to_string());
    // The wait that was cancelled may still get the task: then it gives it back at once, because
    // its token would be lost.
    client.write(PING);
    assert_eq!(client.read()["id"], "p");
    world.ok("add 'A task'");
    client.write(&next(2, 50));
    let answer = client.read();
    assert_eq!(answer["id"], 2);
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("A task"), "{text}");
    // The end of the input is the end, also of what is waited for.
    client.write(&next(3, 50));
    assert_eq!(client.close(), Some(0));
}

#[test]
fn what_was_asked_before_the_end_of_the_input_is_answered() {
    let world = World::new();
    let mut client = Client::start(&world, "mcp");
    client.write(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let create = json!({"name": "task_create", "arguments": {"tasks": [{"title": "Last words"}]}});
    let create = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": create});
    client.write(&create.to_string());
    client.stdin = None;
    let mut ids = [client.read(), client.read()].map(|answer| answer["id"].as_i64().unwrap());
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert_eq!(client.close(), Some(0));
    assert!(world.ok("task list").contains("Last words"));
}

#[test]
fn lines_that_are_none_do_not_end_it() {
    let world = World::alone();
    let mut client = Client::start(&world, "mcp --server http://127.0.0.1:9");
    let stdin = client.stdin.as_mut().unwrap();
    stdin.write_all(b"\xff\xfe\n").unwrap();
    stdin.write_all(&vec![b'x'; 5 << 20]).unwrap();
    stdin.write_all(b"\n").unwrap();
    client.write(PING);
    for _ in 0..2 {
        assert_eq!(client.read()["error"]["code"], -32700);
    }
    assert_eq!(client.read()["id"], "p");
}

#[test]
fn each_client_is_told_what_it_reads() {
    let world = World::alone();
    world.write("key", "oct_secret");
    let printed = |line: &str| {
        let ended = world.run(line);
        assert!(!ended.stderr.contains("oct_secret"), "{}", ended.stderr);
        let printed = ended.ok(line);
        assert!(!printed.contains("oct_secret"), "{printed}");
        printed
    };
    let line = "mcp config --client claude --server http://h:1 --scope 'my team'";
    let expected =
        "claude mcp add octopoid -- octopoid mcp --server http://h:1 --scope 'my team'\n";
    assert_eq!(printed(line), expected);
    let http = "--transport http --server http://h:1 --scope 'my team' --key-file key";
    assert_eq!(
        printed(&format!("mcp config --client claude {http}")),
        "claude mcp add --transport http octopoid 'http://h:1/mcp?scope=my%20team' --header \
         'Authorization: Bearer ${OCTOPOID_KEY}'\n"
    );

    let command = json!(["mcp", "--server", "http://h:1", "--scope", "my team"]);
    let url = "http://h:1/mcp?scope=my%20team";
    let stdio = "--server http://h:1 --scope 'my team'";
    let codex = |options: &str| {
        let text = printed(&format!("mcp config --client codex {options}"));
        let table: toml::Table = text.parse().unwrap();
        serde_json::to_value(&table["mcp_servers"]["octopoid"]).unwrap()
    };
    let server = codex(stdio);
    assert_eq!((&server["command"], &server["args"]), (&json!("octopoid"), &command));
    let server = codex(http);
    let expected =
        json!({"url": url, "bearer_token_env_var": "OCTOPOID_KEY", "tool_timeout_sec": 60});
    assert_eq!(server, expected);

    let server = world.json(&format!("mcp config --client cursor {stdio}"));
    let expected = json!({"command": "octopoid", "args": command});
    assert_eq!(server["mcpServers"]["octopoid"], expected);
    let server = world.json(&format!("mcp config --client cursor {http}"));
    let headers = json!({"Authorization": "Bearer ${env:OCTOPOID_KEY}"});
    assert_eq!(server["mcpServers"]["octopoid"], json!({"url": url, "headers": headers}));

    let server = world.json(&format!("mcp config --client vscode {stdio}"));
    let expected = json!({"type": "stdio", "command": "octopoid", "args": command});
    assert_eq!(server["servers"]["octopoid"], expected);
    let config = world.json(&format!("mcp config --client vscode {http}"));
    let server = &config["servers"]["octopoid"];
    assert_eq!((&server["type"], &server["url"]), (&json!("http"), &json!(url)));
    let input = config["inputs"][0]["id"].as_str().unwrap();
    assert_eq!(server["headers"]["Authorization"], format!("Bearer ${{input:{input}}}"));
    assert_eq!(config["inputs"][0]["password"], true);
}

#[test]
fn without_a_key_none_is_asked_for() {
    let world = World::new();
    for client in ["claude", "codex", "cursor", "vscode"] {
        let line = format!("mcp config --client {client} --transport http -o json");
        let config = world.json(&line);
        let text = config["text"].as_str().unwrap();
        assert!(text.contains("/mcp?scope=demo") && !text.contains("KEY"), "{text}");
        assert!(!text.contains("Authorization") && !text.contains("inputs"), "{text}");
    }
}
