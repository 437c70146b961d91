//! The server behind the tools of `octopoid mcp`, over HTTP.

use std::{pin::Pin, time::Duration};

use octopoid_client::{Client, Error, Method, Result, Retries};
use octopoid_domain::causes::innermost;
use octopoid_mcp::{Answer, Backend, Call, Defaults, Verb};
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::timeout};

use crate::{random, repository, session::Session, settings::Setting};

/// How long a call may take with all repetitions. Clients give up after a minute.
const CALL_MAX: Duration = Duration::from_secs(55);

/// How requests are repeated within that time.
const RETRIES: Retries = Retries {
    attempts: 4,
    pause: Duration::from_millis(100),
    pause_max: Duration::from_secs(1),
    asked_max: Duration::from_secs(10),
};

/// The path of a claim.
const CLAIM: &str = "/api/v1/tasks/claim";

/// The server.
pub(super) struct Remote {
    client: Client,
    server: String,
    defaults: Defaults,
}

impl Remote {
    pub(super) fn of(session: &Session) -> Self {
        let settings = &session.settings;
        let value =
            |setting: &Option<Setting>| setting.as_ref().map(|setting| setting.value.clone());
        let defaults = Defaults {
            scope: value(&settings.scope),
            flow: value(&settings.flow),
            branch: Some(repository::branch()),
            agent: Some(settings.user.value.clone()),
        };
        let client = session.client.clone().with_retries(RETRIES);
        Self { client, server: settings.server.value.clone(), defaults }
    }

    /// Claims on a task of its own, which a cancellation does not end: a lease that was granted
    /// after it is given back, because its token would be lost.
    async fn claim(&self, call: Call) -> Option<Result<(u16, Value)>> {
        let (client, scope) = (self.client.clone(), self.defaults.scope.clone());
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let answer = send(&client, &call).await;
            if let Err(Ok((200, claimed))) = sender.send(answer) {
                give_back(&client, scope, &claimed).await;
            }
        });
        timeout(CALL_MAX, receiver).await.ok()?.ok()
    }
}

async fn send(client: &Client, call: &Call) -> Result<(u16, Value)> {
    let Call { verb, path, query, body, wait_seconds } = call;
    let method = match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
    };
    let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    client.call(method, path, &query, body, wait_seconds.map(Duration::from_secs)).await
}

/// Gives a claimed task back, uncounted.
async fn give_back(client: &Client, scope: Option<String>, claimed: &Value) {
    let (Some(id), token) = (claimed["id"].as_str(), &claimed["lease_token"]) else { return };
    let mut body =
        json!({"lease_token": token, "reason": "drained", "message": "the claim was cancelled"});
    if let Some(scope) = scope {
        body["scope"] = scope.into();
    }
    // Without it, the lease ends by itself.
    let _ = send(client, &Call::post(&["tasks", id, "fail"], body)).await;
}

impl Backend for Remote {
    fn call(
        &self,
        call: Call,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Answer, String>> + Send + '_>> {
        Box::pin(async move {
            let verb = call.verb;
            let answered = if call.path == CLAIM {
                self.claim(call).await
            } else {
                timeout(CALL_MAX, send(&self.client, &call)).await.ok()
            };
            match answered {
                Some(Ok((status, body))) => Ok(Answer { status, body }),
                Some(Err(error)) => Err(self.failed(verb, &error)),
                None => Err(self.silent(verb)),
            }
        })
    }

    fn random(&self) -> u32 {
        random::number()
    }

    fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    fn scope_remedy(&self) -> &'static str {
        "Ask the person to start octopoid mcp with --scope NAME, or in a git repository, or with a key"
    }
}

impl Remote {
    /// Why there is no answer.
    fn failed(&self, verb: Verb, error: &Error) -> String {
        let server = &self.server;
        match error {
            Error::Transport(why) if why.is_connect() => format!(
                "The server at {server} cannot be reached: {}. Ask the person to start it with octopoid up \
                 or octopoid serve, or to name another with octopoid mcp --server URL, then call again",
                innermost(why)
            ),
            Error::Transport(_) => self.silent(verb),
            error => format!(
                "What answers at {server} is no Octopoid server, or not reached directly: {error}. Ask \
                 the person to check the address"
            ),
        }
    }

    /// The server has not answered, or not in time.
    fn silent(&self, verb: Verb) -> String {
        let remedy = match verb {
            Verb::Get => "Call again in a moment",
            Verb::Post => {
                "It may have been done all the same: look with task_get or board before you call again"
            }
        };
        format!("The server at {} did not answer in time. {remedy}", self.server)
    }
}
