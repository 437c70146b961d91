//! The sending to webhooks, by the cron trigger, pulled by hand.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use octopoid_domain::webhook::{Delivery, DeliveryResult, NewWebhook};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Edge, Verdict, new_task};

/// The path at which `wrangler dev --test-scheduled` runs the cron trigger.
const TRIGGER: &str = "/__scheduled";

/// How long a message may take.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn the_cron_trigger_sends_to_webhooks(edge: Edge) -> Verdict {
    let client = edge.holder("webhooks").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let new = NewWebhook {
        url: url.as_str().into(),
        types: octopoid_domain::input::Texts(vec!["task.created".to_owned()]),
        ..NewWebhook::default()
    };
    let id = client.create_webhook(&new).await?.webhook.id;
    client.create_task(&new_task("webhooks-1")).await?;
    let http = octopoid_client::http(&edge.url).build()?;
    let failed = async |id: &str| -> anyhow::Result<Option<Delivery>> {
        Ok(client.list_webhook_deliveries(id, &[]).await?.items.pop())
    };
    let trigger = async {
        // A run that takes back leases, which other tests let lapse, sends nothing.
        loop {
            let answer = http.get(format!("{}{TRIGGER}", edge.url)).send().await?;
            ensure!(answer.status() == 200, "{answer:?}");
            if let Some(delivery) = failed(&id).await? {
                return Ok(delivery);
            }
        }
    };
    let redirects = async {
        // A redirect is a failure, and not followed.
        let (mut stream, _) = listener.accept().await?;
        let request = read(&mut stream).await?;
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        anyhow::Ok(request)
    };
    let both = async { tokio::join!(trigger, redirects) };
    let (delivery, request) =
        tokio::time::timeout(WAIT_MAX, both).await.context("nothing was sent")?;
    let delivery = delivery?;
    let (head, body) = request?;
    for header in ["webhook-id: hook-", "webhook-timestamp: ", "webhook-signature: v1,"] {
        ensure!(head.contains(header), "{header} is missing: {head}");
    }
    ensure!(body["data"]["subject"]["id"] == "webhooks-1", "{body}");
    ensure!(delivery.result == DeliveryResult::Failed, "{delivery:?}");
    ensure!(delivery.status == Some(302), "{delivery:?}");
    client.delete_webhook(&id).await?;
    Ok(())
}

/// The head and the body of a request.
async fn read(stream: &mut TcpStream) -> anyhow::Result<(String, Value)> {
    let mut text = Vec::new();
    loop {
        let mut bytes = [0; 4_096];
        let length = stream.read(&mut bytes).await?;
        ensure!(length > 0, "the request ends early");
        text.extend(&bytes[..length]);
        let all = String::from_utf8_lossy(&text);
        let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
        // JSON that is cut off is none.
        if let Ok(body) = serde_json::from_str(body) {
            return Ok((head.to_lowercase(), body));
        }
    }
}
