//! What servers answer, and whether they may.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Method, Response, header::RETRY_AFTER};
use serde_json::Value;

/// The timeout of a request: more than the server's own timeout for the database.
const PATIENCE: Duration = Duration::from_secs(45);
/// How many broken promises are kept in words. What breaks once often breaks everywhere.
const BROKEN_MAX: usize = 50;

/// What a server said that did, or refused, what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Whether the request had been carried out before, under the same idempotency key.
    pub(crate) is_replayed: bool,
}

impl Answer {
    /// Whether a token was refused because its lease is over.
    pub(crate) fn is_lease_lost(&self) -> bool {
        self.status == 409 && self.body["code"] == "lease_lost"
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// What it is counted as.
    pub(crate) operation: &'a str,
    pub(crate) path: &'a str,
    /// The body of a POST; a GET has none.
    pub(crate) body: Option<&'a Value>,
    /// The idempotency key.
    pub(crate) key: Option<&'a str>,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An answer about what was asked.
    Answered(Answer),
    /// It was not done, and may be asked again.
    NotDone,
    /// The outcome is unknown.
    Unsure,
    /// The server could not be called, so nothing was done.
    Gone,
}

/// Counts answers, and remembers what should not have happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<BTreeMap<String, usize>>,
    broken: Mutex<(usize, Vec<String>)>,
}

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what.into()).or_default() += 1;
    }

    /// Notes a promise that was not kept.
    pub(crate) fn broken(&self, what: impl Into<String>) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.0 += 1;
        if broken.1.len() < BROKEN_MAX {
            broken.1.push(what.into());
        }
    }

    /// The answers by operation, status and code.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many promises were broken, and the first of them in words.
    pub(crate) fn all_broken(&self) -> (usize, Vec<String>) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn exchanged(&self, operation: &str, answer: Answer, names_pause: bool) -> Reply {
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        self.count(format!("{operation} {} {code}", answer.status).trim_end());
        if answer.is_replayed {
            self.count("(answer was replayed)");
        }
        match (answer.status, &*code) {
            (200 | 201 | 409, _) => Reply::Answered(answer),
            (404, "") if answer.body["message"] == "No tasks available" => Reply::Answered(answer),
            (503, "unavailable" | "unconfirmed" | "stopping") if names_pause => {
                if code == "unconfirmed" { Reply::Unsure } else { Reply::NotDone }
            }
            _ => {
                let Answer { status, body, .. } = &answer;
                self.broken(format!("{operation} was answered with {status} {body}"));
                if *status < 500 { Reply::Answered(answer) } else { Reply::Unsure }
            }
        }
    }
}

/// Servers, and what they have answered.
#[derive(Debug)]
pub(crate) struct Servers {
    http: reqwest::Client,
    pub(crate) addresses: Vec<String>,
    pub(crate) tally: Tally,
}

impl Servers {
    pub(crate) fn new(addresses: Vec<String>) -> anyhow::Result<Self> {
        let http = octopoid_client::http("http://127.0.0.1").timeout(PATIENCE).build()?;
        Ok(Self { http, addresses, tally: Tally::default() })
    }

    /// Asks one of the servers once.
    pub(crate) async fn ask(&self, server: usize, request: Request<'_>) -> Reply {
        let Request { operation, path, body, key } = request;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let address = &self.addresses[server % self.addresses.len()];
        let mut request = self.http.request(method, format!("http://{address}{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let outcome = match request.send().await {
            Ok(response) => {
                let names_pause = response.headers().contains_key(RETRY_AFTER);
                read(response).await.map(|answer| (answer, names_pause))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok((answer, names_pause)) => self.tally.exchanged(operation, answer, names_pause),
            Err(error) if error.is_timeout() => {
                self.tally.broken(format!("{operation} hung for {PATIENCE:?} on {address}"));
                Reply::Unsure
            }
            Err(error) if error.is_connect() => {
                self.tally.count("connection refused");
                Reply::Gone
            }
            Err(error) if error.is_decode() => {
                self.tally.broken(format!("{operation} got an answer that is no JSON: {error}"));
                Reply::Unsure
            }
            Err(_) => {
                self.tally.count("connection lost");
                Reply::Unsure
            }
        }
    }
}

async fn read(response: Response) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let is_replayed = response.headers().contains_key("idempotency-replayed");
    Ok(Answer { status, body: response.json().await?, is_replayed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answer, Reply, Tally};

    fn judged(status: u16, body: serde_json::Value, names_pause: bool) -> (Reply, usize) {
        let tally = Tally::default();
        let reply =
            tally.exchanged("claim", Answer { status, body, is_replayed: false }, names_pause);
        (reply, tally.all_broken().0)
    }

    #[test]
    fn documented_answers_break_no_promise() {
        let nothing = json!({"message": "No tasks available"});
        assert!(matches!(judged(404, nothing, false), (Reply::Answered(_), 0)));
        assert!(matches!(judged(200, json!({}), false), (Reply::Answered(_), 0)));
        let unconfirmed = json!({"code": "unconfirmed"});
        assert!(matches!(judged(503, unconfirmed, true), (Reply::Unsure, 0)));
        let unavailable = json!({"code": "unavailable"});
        assert!(matches!(judged(503, unavailable, true), (Reply::NotDone, 0)));
    }

    #[test]
    fn other_answers_break_one() {
        for (status, body) in [
            (500, json!({"code": "internal"})),
            (404, json!({"code": "task_not_found"})),
            (503, json!({"code": "unavailable"})),
            (503, json!({})),
        ] {
            assert_eq!(judged(status, body.clone(), false).1, 1, "{status} {body}");
        }
    }
}
