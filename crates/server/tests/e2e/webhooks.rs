//! Messages to webhooks, as a receiver gets them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Request, StatusCode, header::LOCATION},
    response::IntoResponse,
};
use hyper::{body::Incoming, service::service_fn};
use octopoid_client::Client;
use octopoid_domain::{
    input::{Flag, Patch, Text, Texts},
    webhook::{DeliveryResult, NewWebhook, RotateSecret, WebhookPatch, WebhookWithSecret},
};
use octopoid_testbed::database::is_postgres;
use serde_json::Value;
use standardwebhooks::Webhook as Verifier;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tower::ServiceExt as _;

use crate::{
    load::new_task,
    server::{Disk, PATIENCE, Server},
};

const ALLOWED: [&str; 1] = ["--webhook-allow-private"];

/// A message as it came.
#[derive(Clone, Debug)]
struct Received {
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The subject of its event.
    fn subject(&self) -> String {
        self.json()["data"]["subject"]["id"].as_str().unwrap().to_owned()
    }
}

/// Takes messages, and answers the next ones with these statuses.
#[derive(Clone)]
struct Receiver {
    url: String,
    statuses: Arc<Mutex<Vec<u16>>>,
    received: watch::Sender<Vec<Received>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver =
            Self { url, statuses: Arc::default(), received: watch::channel(Vec::new()).0 };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { serve_all(listener, router).await });
        receiver
    }

    fn answers_with(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().splice(.., statuses.iter().copied());
    }

    /// Waits until there are so many messages, and returns all.
    async fn gets(&self, count: usize) -> Vec<Received> {
        let mut received = self.received.subscribe();
        let enough = received.wait_for(|received| received.len() >= count);
        let enough = timeout(2 * PATIENCE, enough).await;
        assert!(enough.is_ok(), "{count} messages do not come: {:?}", self.received.borrow());
        self.received.borrow().clone()
    }

    async fn hook(&self, client: &Client, types: &[&str]) -> WebhookWithSecret {
        let new = NewWebhook {
            url: Text(Some(self.url.clone())),
            types: Texts(types.iter().map(|&name| name.to_owned()).collect()),
            ..NewWebhook::default()
        };
        client.create_webhook(&new).await.unwrap()
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let status = {
        let mut statuses = receiver.statuses.lock().unwrap();
        if statuses.is_empty() { 204 } else { statuses.remove(0) }
    };
    receiver.received.send_modify(|all| all.push(Received { headers, body }));
    (StatusCode::from_u16(status).unwrap(), [(LOCATION, format!("{}/redirected", receiver.url))])
}

/// Serves one connection after the other with hyper, which this crate has.
async fn serve_all(listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            router.clone().oneshot(request.map(Body::new))
        });
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that has gone is no failure.
            let _ = connection.serve_connection(io, service).await;
        });
    }
}

async fn serve(disk: &Disk) -> Server {
    disk.serve_with(&ALLOWED, &[]).await
}

#[tokio::test]
async fn a_message_is_signed_as_the_specification_says() {
    let disk = Disk::new().await;
    let server = serve(&disk).await;
    let (client, receiver) = (server.client(), Receiver::start().await);
    let hook = receiver.hook(&client, &["task.created"]).await;
    client.create_task(&new_task("a")).await.unwrap();
    let first = receiver.gets(1).await.remove(0);
    let old = Verifier::new(&hook.secret).unwrap();
    old.verify(&first.body, &first.headers).unwrap();
    let body = first.json();
    assert_eq!((&body["type"], &*first.subject()), (&Value::from("task.created"), "a"));
    assert_eq!(body["timestamp"], body["data"]["at"]);

    let rotation = RotateSecret::default();
    let rotated = client.rotate_webhook_secret(&hook.webhook.id, &rotation).await.unwrap();
    client.create_task(&new_task("b")).await.unwrap();
    let second = receiver.gets(2).await.remove(1);
    let new = Verifier::new(&rotated.secret).unwrap();
    new.verify(&second.body, &second.headers).unwrap();
    old.verify(&second.body, &second.headers).unwrap();
    assert!(new.verify(&first.body, &first.headers).is_err(), "a verifier can say no");
}

#[tokio::test]
async fn a_message_that_failed_is_sent_again_under_its_id_and_in_order() {
    let disk = Disk::new().await;
    let server = serve(&disk).await;
    let (client, receiver) = (server.client(), Receiver::start().await);
    receiver.answers_with(&[500, 302]);
    let hook = receiver.hook(&client, &["task.created"]).await.webhook;
    for id in ["a", "b"] {
        client.create_task(&new_task(id)).await.unwrap();
    }
    let messages = receiver.gets(4).await;
    let subjects: Vec<_> = messages.iter().map(Received::subject).collect();
    assert_eq!(subjects, ["a", "a", "a", "b"]);
    let ids: BTreeSet<_> = messages.iter().map(Received::id).collect();
    assert_eq!(ids.len(), 2);
    let log = async {
        loop {
            let log = client.list_webhook_deliveries(&hook.id, &[]).await.unwrap().items;
            if log.len() == 2 && log.iter().all(|one| one.result == DeliveryResult::Delivered) {
                return log;
            }
        }
    };
    let log = timeout(PATIENCE, log).await.expect("both are delivered");
    assert_eq!((log[1].attempts, log[0].attempts), (3, 1));
}

#[tokio::test]
async fn a_test_goes_to_its_webhook_and_none_to_one_that_is_disabled() {
    let disk = Disk::new().await;
    let server = serve(&disk).await;
    let (client, receiver) = (server.client(), Receiver::start().await);
    let disabled = receiver.hook(&client, &[]).await.webhook.id;
    receiver.gets(1).await;
    let patch = |is_enabled| WebhookPatch {
        is_enabled: Patch::Set(Flag(is_enabled)),
        ..WebhookPatch::default()
    };
    client.update_webhook(&disabled, &patch(false)).await.unwrap();
    let hook = receiver.hook(&client, &["needs_person"]).await.webhook.id;
    let test = client.test_webhook(&hook).await.unwrap();
    let last = receiver.gets(2).await.remove(1);
    assert_eq!((&last.json()["type"], &*last.subject()), (&Value::from("webhook.tested"), &*hook));
    assert_eq!(last.json()["timestamp"], Value::from(test.requested_at.to_iso()));
    // The next message shows that there was none for the one that is disabled.
    client.delete_webhook(&hook).await.unwrap();
    client.update_webhook(&disabled, &patch(true)).await.unwrap();
    assert_eq!(client.list_webhooks(&[]).await.unwrap().items.len(), 1);
    assert!(client.get_webhook(&disabled).await.unwrap().is_enabled);
    client.create_task(&new_task("a")).await.unwrap();
    let messages = receiver.gets(3).await;
    assert!(messages[2..].iter().all(|one| one.json()["type"] != "webhook.deleted"));
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_others_up() {
    let disk = Disk::new().await;
    let server = serve(&disk).await;
    let (client, receiver) = (server.client(), Receiver::start().await);
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let new = NewWebhook { url: Text(Some(url)), ..NewWebhook::default() };
    client.create_webhook(&new).await.unwrap();
    receiver.hook(&client, &["task.created"]).await;
    for id in ["a", "b", "c"] {
        client.create_task(&new_task(id)).await.unwrap();
    }
    assert_eq!(receiver.gets(3).await.len(), 3);
}

#[tokio::test]
async fn of_many_servers_one_sends_each_message() {
    let disk = Disk::new().await;
    // Only a database of many servers can have more.
    let number = if is_postgres() { 3 } else { 1 };
    let mut servers = Vec::new();
    for _ in 0..number {
        servers.push(serve(&disk).await);
    }
    let (client, receiver) = (servers[0].client(), Receiver::start().await);
    receiver.hook(&client, &["task.created"]).await;
    for id in 0..60 {
        let server = &servers[id % number];
        server.client().create_task(&new_task(&format!("t{id}"))).await.unwrap();
    }
    let hook = receiver.hook(&client, &["webhook.tested"]).await.webhook.id;
    client.test_webhook(&hook).await.unwrap();
    let messages = receiver.gets(61).await;
    let ids: BTreeSet<_> = messages.iter().map(Received::id).collect();
    assert_eq!((ids.len(), messages.len()), (61, 61), "each once");
}

#[tokio::test]
async fn a_message_outlives_kill_9_and_keeps_its_id() {
    let disk = Disk::new().await;
    let server = serve(&disk).await;
    let (client, receiver) = (server.client(), Receiver::start().await);
    // The server is killed while it waits for the answer.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let moved = Receiver { url: format!("http://{address}/"), ..receiver.clone() };
    let hook = moved.hook(&client, &["task.created"]).await.webhook.id;
    client.create_task(&new_task("a")).await.unwrap();
    let asked = timeout(PATIENCE, first_request(&silent)).await.expect("the server sends");
    server.kill().await;
    drop(silent);
    let server = serve(&disk).await;
    let patch = WebhookPatch {
        url: Patch::Set(octopoid_domain::input::Plain(receiver.url.clone())),
        ..WebhookPatch::default()
    };
    server.client().update_webhook(&hook, &patch).await.unwrap();
    let again = receiver.gets(1).await.remove(0);
    assert!(asked.contains(again.id()), "{asked} has not {}", again.id());
}

/// The head of the first request that comes.
async fn first_request(listener: &TcpListener) -> String {
    use tokio::io::AsyncReadExt as _;

    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 1_024];
        let length = stream.read(&mut bytes).await.unwrap();
        head.extend(&bytes[..length]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn an_address_inside_is_refused_unless_the_administrator_allows_it() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let new = |url: &str| NewWebhook { url: Text(Some(url.to_owned())), ..NewWebhook::default() };
    let refused = server.client().create_webhook(&new("http://127.0.0.1:1/")).await.unwrap_err();
    assert_eq!(refused.status(), Some(400));
    assert!(refused.to_string().contains("--webhook-allow-private"), "{refused}");
}
