//! The Model Context Protocol on the Worker.

use anyhow::ensure;
use octopoid_domain::key::NewKey;
use octopoid_testbed::conversation::{Talk, Transport, five_tasks};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::{Edge, Verdict};

struct Http {
    client: Client,
    url: String,
    key: String,
}

impl Transport for Http {
    async fn send(&mut self, request: Value) -> anyhow::Result<Value> {
        let sent = self.client.post(&self.url).bearer_auth(&self.key).json(&request).send().await?;
        let (status, text) = (sent.status(), sent.text().await?);
        ensure!(status == StatusCode::OK, "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

pub(crate) async fn five_tasks_live_by_tools_alone(edge: Edge) -> Verdict {
    let new = NewKey { scope: "mcp".into(), ..NewKey::default() };
    let key = edge.administrator()?.issue_key(&new).await?.api_key;
    let client = octopoid_client::http(&edge.url).build()?;
    let url = format!("{}/mcp", edge.url);
    let opened = client.get(&url).bearer_auth(&key).send().await?;
    ensure!(opened.status() == StatusCode::METHOD_NOT_ALLOWED, "{opened:?}");
    let probed = client.get(format!("{}/.well-known/oauth-protected-resource/mcp", edge.url));
    let probed = probed.send().await?;
    ensure!(probed.status() == StatusCode::NOT_FOUND, "{probed:?}");
    ensure!(probed.headers()["content-type"] == "application/json", "{probed:?}");
    five_tasks(&mut Talk::over(Http { client, url, key })).await
}
