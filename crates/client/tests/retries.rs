//! Which requests the client sends again, and where, against a server that says what a test has written.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{collections::BTreeSet, time::Duration};

use octopoid_client::{Client, Error, Retries};
use octopoid_domain::{
    pause::NewPause,
    steps::Renew,
    task::{ClaimRequest, NewTask},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// What the server does with a request: it closes the connection, or answers with a status and a
/// body.
type Move = Option<(u16, &'static str)>;

const REFUSAL: &str = r#"{"error":"no","code":"c"}"#;
/// A refusal that asks for a pause of 100 seconds. All others ask for none.
const BUSY: &str = r#"{"error":"busy","code":"c"}"#;
const NOTHING: &str = r#"{"message":"No tasks available"}"#;

/// A client of a server that makes these moves, one for each request. The server returns the
/// idempotency keys of the requests.
async fn playing(moves: Vec<Move>) -> (Client, JoinHandle<Vec<Option<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut keys = Vec::new();
        for next in moves {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let (mut length, mut key) = (0, None);
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                match line.trim_end().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(("idempotency-key", value)) => key = Some(value.to_owned()),
                    _ => {}
                }
                if line == "\r\n" {
                    break;
                }
            }
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            keys.push(key);
            let Some((status, body)) = next else { continue };
            let location = if (300..400).contains(&status) { body } else { "/" };
            let pause = if body == BUSY { 100 } else { 0 };
            let answer = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\nretry-after: {pause}\r\n\
                 location: {location}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        keys
    });
    let retries = Retries {
        attempts: 4,
        pause: Duration::from_millis(1),
        pause_max: Duration::from_millis(2),
        ..Retries::default()
    };
    (Client::new(&base).unwrap().with_retries(retries), server)
}

/// The keys of the requests: all of them have one, and the same.
fn one_key(keys: Vec<Option<String>>) -> String {
    let keys: BTreeSet<_> = keys.into_iter().map(Option::unwrap).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_request_is_sent_again_with_its_key_until_it_is_answered() {
    let moves = vec![None, Some((503, REFUSAL)), Some((502, "no JSON")), Some((404, NOTHING))];
    let (client, server) = playing(moves).await;
    assert_eq!(client.claim_task(&ClaimRequest::default()).await.unwrap(), None);
    let key = one_key(server.await.unwrap());
    assert!(key.len() == 32 && key.bytes().all(|digit| digit.is_ascii_hexdigit()), "{key}");
}

#[tokio::test]
async fn a_request_beyond_the_rate_is_sent_again() {
    let (client, server) = playing(vec![Some((429, REFUSAL)), Some((404, NOTHING))]).await;
    assert_eq!(client.claim_task(&ClaimRequest::default()).await.unwrap(), None);
    one_key(server.await.unwrap());
}

#[tokio::test]
async fn a_request_is_not_sent_again_if_the_server_asks_for_a_pause_that_is_too_long() {
    let (client, server) = playing(vec![Some((503, REFUSAL)), Some((429, BUSY))]).await;
    let error = client.create_task(&NewTask::default()).await.unwrap_err();
    assert_eq!(error.status(), Some(429));
    one_key(server.await.unwrap());
}

#[tokio::test]
async fn it_is_not_sent_more_often_than_it_may_be() {
    let (client, server) = playing(vec![None, None, None, Some((504, REFUSAL))]).await;
    let error = client.create_task(&NewTask::default()).await.unwrap_err();
    assert_eq!(error.status(), Some(504));
    one_key(server.await.unwrap());
    let (client, server) = playing(vec![None]).await;
    let client = client.with_retries(Retries::NONE);
    let error = client.create_task(&NewTask::default()).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
    one_key(server.await.unwrap());
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    for status in [400, 409, 422, 500] {
        let (client, server) = playing(vec![Some((status, REFUSAL))]).await;
        let error = client.create_task(&NewTask::default()).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        one_key(server.await.unwrap());
    }
}

/// The body and the key are for this server alone.
#[tokio::test]
async fn a_redirection_is_an_error_that_names_the_target() {
    let target = "http://user:word@127.0.0.1:1/a?secret#b";
    for status in [301, 302, 307, 308] {
        let (client, server) = playing(vec![Some((status, target)); 3]).await;
        let created = client.create_task(&NewTask::default()).await.unwrap_err();
        let got = client.get_task("a").await.unwrap_err();
        let followed = client.follow_events(&[]).await.unwrap_err();
        for error in [created, got, followed] {
            let text = format!("the server redirects to http://127.0.0.1:1/a ({status})");
            assert_eq!((error.to_string(), error.status()), (text, Some(status)));
        }
        server.await.unwrap();
    }
}

#[tokio::test]
async fn each_request_has_a_key_of_its_own() {
    let (client, server) = playing(vec![Some((409, REFUSAL)), Some((409, REFUSAL))]).await;
    for _ in 0..2 {
        client.create_task(&NewTask::default()).await.unwrap_err();
    }
    let keys: BTreeSet<_> = server.await.unwrap().into_iter().collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

/// It sets the same twice, and needs no key.
#[tokio::test]
async fn a_put_is_sent_again_until_it_is_answered() {
    let (client, server) = playing(vec![None, Some((503, REFUSAL)), Some((409, REFUSAL))]).await;
    let error = client.put_pause("scope", &NewPause::default()).await.unwrap_err();
    assert_eq!(error.status(), Some(409));
    assert_eq!(server.await.unwrap(), [None, None, None]);
}

/// They have no key, because the caller alone knows whether they may run twice.
#[tokio::test]
async fn other_requests_are_sent_once() {
    let (client, server) = playing(vec![None, None, Some((503, REFUSAL))]).await;
    assert!(matches!(client.renew_task("a", &Renew::default()).await, Err(Error::Transport(_))));
    assert!(matches!(client.get_task("a").await, Err(Error::Transport(_))));
    assert_eq!(client.delete_task("a").await.unwrap_err().status(), Some(503));
    assert_eq!(server.await.unwrap(), [None, None, None]);
}
