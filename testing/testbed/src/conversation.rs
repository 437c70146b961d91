//! A conversation by the Model Context Protocol: what a person's agent, a worker and a reviewer say,
//! and what they must be told. It is the same over every transport and on every engine.

use serde_json::{Value, json};

/// A transport of messages: what sends a request and returns the answer to it.
pub trait Transport {
    /// Sends a JSON-RPC request.
    fn send(&mut self, request: Value) -> impl Future<Output = anyhow::Result<Value>> + Send;
}

/// Calls tools over a transport.
pub struct Talk<T> {
    transport: T,
    requests: i64,
}

impl<T: Transport> Talk<T> {
    /// A conversation that has not begun.
    pub fn over(transport: T) -> Self {
        Self { transport, requests: 0 }
    }

    /// Calls a method, and returns its result.
    pub async fn method(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.requests += 1;
        let id = self.requests;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut answer = self.transport.send(request).await?;
        anyhow::ensure!(answer["id"] == id, "{method} was answered with {answer}");
        anyhow::ensure!(answer["error"].is_null(), "{method}: {answer}");
        Ok(answer["result"].take())
    }

    /// Calls a tool, which must not fail, and returns its text.
    pub async fn tool(&mut self, name: &str, arguments: Value) -> anyhow::Result<String> {
        let (text, is_error) = self.call(name, arguments).await?;
        anyhow::ensure!(!is_error, "{name} failed: {text}");
        Ok(text)
    }

    /// Calls a tool, which must fail, and returns why it did.
    pub async fn refused(&mut self, name: &str, arguments: Value) -> anyhow::Result<String> {
        let (text, is_error) = self.call(name, arguments).await?;
        anyhow::ensure!(is_error, "{name} did not fail: {text}");
        Ok(text)
    }

    async fn call(&mut self, name: &str, arguments: Value) -> anyhow::Result<(String, bool)> {
        let params = json!({"name": name, "arguments": arguments});
        let result = self.method("tools/call", params).await?;
        let text = result["content"][0]["text"].as_str().map(str::to_owned);
        let text = text.ok_or_else(|| anyhow::anyhow!("{name} said nothing: {result}"))?;
        anyhow::ensure!(text.len() <= 8_192, "{name} said {} bytes", text.len());
        Ok((text, result["isError"] == true))
    }
}

/// What follows a label in a text, up to the next blank.
pub fn word_after<'a>(text: &'a str, label: &str) -> anyhow::Result<&'a str> {
    let word = text.split_once(label).and_then(|(_, rest)| rest.split_whitespace().next());
    word.ok_or_else(|| anyhow::anyhow!("no {label:?} in {text}"))
}

/// Requires that a text has these parts.
fn has(text: &str, parts: &[&str]) -> anyhow::Result<()> {
    for part in parts {
        anyhow::ensure!(text.contains(part), "no {part:?} in {text}");
    }
    Ok(())
}

/// Five tasks, of which two wait for others, are created, taken, reported on, finished and reviewed
/// by tools alone. The scope must be empty.
pub async fn five_tasks<T: Transport>(talk: &mut Talk<T>) -> anyhow::Result<()> {
    talk.method("initialize", json!({"protocolVersion": "2025-11-25"})).await?;
    has(
        &talk.tool("board", json!({})).await?,
        &["Tasks by queue: none", "Nothing needs a person"],
    )?;
    let ids = create(talk).await?;
    let board = talk.tool("board", json!({})).await?;
    has(&board, &["incoming 5", "waits_for 2", "Waiting, and why", &ids[2]])?;
    has(&talk.tool("task_get", json!({"task_id": ids[4]})).await?, &["Why it waits", &ids[3]])?;

    // A worker takes the most urgent one, hears a message, and hands in.
    let claimed = talk.tool("task_next", json!({"agent": "ada"})).await?;
    has(&claimed, &[&ids[1], "Read dates", "by: ada"])?;
    let token = word_after(&claimed, "lease_token: ")?;
    let message = json!({"task_id": ids[1], "text": "mind leap years", "to": "agent"});
    talk.tool("message", message).await?;
    let update = json!({
        "task_id": ids[1], "lease_token": token, "message": "half done", "percent": 50,
        "checkpoint": "the parser is there",
    });
    has(&talk.tool("task_update", update).await?, &["yours until", "mind leap years"])?;
    has(&talk.tool("board", json!({})).await?, &["Running", "50 % half done"])?;
    let submit = json!({
        "task_id": ids[1], "lease_token": token, "outcome": "submit", "summary": "reads ISO 8601",
        "branch": "dates", "commits": 2,
    });
    has(&talk.tool("task_finish", submit).await?, &["provisional"])?;

    rejection(talk, &ids[1]).await?;
    question(talk, &ids[0]).await?;
    rest(talk, &ids).await?;
    has(&talk.tool("board", json!({"queue": "done"})).await?, &[&ids[2], &ids[4]])
}

async fn create<T: Transport>(talk: &mut Talk<T>) -> anyhow::Result<Vec<String>> {
    let tasks = json!([
        {"title": "Write dates", "key": "write", "content": "As ISO 8601."},
        {"title": "Read dates", "key": "read", "priority": "P0"},
        {"title": "Test dates", "after": ["write", "read"]},
        {"title": "Document dates", "key": "document", "priority": "P3"},
        {"title": "Translate", "after": ["document"], "priority": "P3"},
    ]);
    let created = talk.tool("task_create", json!({"tasks": tasks})).await?;
    let titles = ["Write dates", "Read dates", "Test dates", "Document dates", "Translate"];
    let lines: Vec<_> = created.lines().filter(|line| line.starts_with("* ")).collect();
    anyhow::ensure!(lines.len() == titles.len(), "{created}");
    let id = |title: &&str| {
        let line = lines.iter().find(|line| line.contains(title));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        word.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no {title} in {created}"))
    };
    titles.iter().map(id).collect()
}

/// A reviewer rejects, and the next attempt is told why.
async fn rejection<T: Transport>(talk: &mut Talk<T>, id: &str) -> anyhow::Result<()> {
    let review = talk.tool("task_next", json!({"agent": "rita", "review": true})).await?;
    has(&review, &[id, "reads ISO 8601", "accept, or reject"])?;
    has(&talk.tool("task_get", json!({"task_id": id})).await?, &["branch: dates", "the parser"])?;
    let token = word_after(&review, "lease_token: ")?;
    let verdict = json!({"task_id": id, "lease_token": token, "outcome": "reject"});
    has(&talk.refused("task_finish", verdict.clone()).await?, &["`message` is required"])?;
    let mut verdict = verdict;
    verdict["message"] = json!("no test for February");
    talk.tool("task_finish", verdict.clone()).await?;
    let claimed = talk.tool("task_next", json!({"agent": "ada"})).await?;
    has(&claimed, &[id, "attempt: 2", "no test for February", "the parser is there"])?;
    verdict["outcome"] = json!("accept");
    has(&talk.refused("task_finish", verdict).await?, &["Stop working on this task"])?;
    finish(talk, id, &claimed).await
}

/// An agent asks a person, and goes on with the answer.
async fn question<T: Transport>(talk: &mut Talk<T>, id: &str) -> anyhow::Result<()> {
    let claimed = talk.tool("task_next", json!({})).await?;
    let token = word_after(&claimed, "lease_token: ")?;
    let failure = json!({
        "task_id": id, "lease_token": token, "outcome": "fail", "reason": "needs_input",
        "message": "With a time zone?",
    });
    has(&talk.tool("task_finish", failure).await?, &["waits for a person"])?;
    let board = talk.tool("board", json!({})).await?;
    has(&board, &["Needs a person", "With a time zone?", "awaiting_input 1"])?;
    let answer = json!({"question_id": word_after(&board, "* question ")?, "text": "In UTC."});
    talk.tool("message", answer).await?;
    let claimed = talk.tool("task_next", json!({})).await?;
    has(&claimed, &[id, "In UTC."])?;
    finish(talk, id, &claimed).await
}

/// The tasks that are left become free one after the other.
async fn rest<T: Transport>(talk: &mut Talk<T>, ids: &[String]) -> anyhow::Result<()> {
    for id in &ids[2..] {
        let claimed = talk.tool("task_next", json!({})).await?;
        has(&claimed, &[id])?;
        finish(talk, id, &claimed).await?;
    }
    has(&talk.tool("task_next", json!({})).await?, &["There is no task to claim now"])
}

/// Submits a claimed task, and accepts it.
async fn finish<T: Transport>(talk: &mut Talk<T>, id: &str, claimed: &str) -> anyhow::Result<()> {
    let token = word_after(claimed, "lease_token: ")?;
    let submit = json!({
        "task_id": id, "lease_token": token, "outcome": "submit", "summary": "done", "commits": 1,
    });
    talk.tool("task_finish", submit.clone()).await?;
    // The answer may be lost, so the same is no error.
    has(&talk.tool("task_finish", submit).await?, &["provisional"])?;
    let review = talk.tool("task_next", json!({"agent": "rita", "review": true})).await?;
    let token = word_after(&review, "lease_token: ")?;
    let accept = json!({"task_id": id, "lease_token": token, "outcome": "accept", "agent": "rita"});
    has(&talk.tool("task_finish", accept).await?, &["done"])
}
