//! A typed HTTP client for Octopoid: each operation of the API is a method of [`Client`] with the
//! operation's name.
//!
//! Bodies and answers are the types of `octopoid_domain`; a partial update is plain JSON, because
//! only JSON tells an absent field from `null`.
//!
//! A request that creates or changes something and that the server carries out once has an
//! idempotency key, and is sent again if its answer is lost ([`Retries`]). So is a PUT, which sets
//! the same twice. No other request is: the caller knows whether it may run twice.

mod actions;
mod admin;
mod drafts;
mod error;
mod events;
mod flows;
mod messages;
mod orchestrators;
mod pauses;
mod projects;
mod retry;
mod roles;
mod runs;
mod scopes;
mod service;
mod tasks;
mod tls;
mod webhooks;

use std::{fmt, time::Duration};

use octopoid_domain::Traceparent;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
pub use reqwest::Method;
use reqwest::{RequestBuilder, Response, Url, redirect::Policy};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use admin::{JobsDone, LogFilter};
pub use error::{Error, Result};
pub use events::{EventPage, EventStream};
pub use retry::Retries;
pub use service::Health;
pub use tasks::{ExplainedTask, History, Offer, WorkedTask};
pub use webhooks::RequestedTest;

use retry::Answer;

/// How long an exchange may take from its first to its last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long an answer or a stream may be silent: longer than any wait, and than the pauses of a
/// stream.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// How much longer than a wait that was asked for the answer may take.
const ANSWER_SECONDS: u64 = 30;

/// Ids may hold anything; only what RFC 3986 calls unreserved stands for itself in a path.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Parameters of a query, such as `[("queue", "incoming")]`.
pub type Query<'a> = &'a [(&'a str, &'a str)];

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many match in all, as far as the server says so; otherwise how many items there are.
    pub total: usize,
    /// The `cursor` of the next page; none at the end.
    pub next_cursor: Option<String>,
}

/// A builder of HTTP clients for this address, for requests that [`Client`] has no method for.
pub fn http(base: &str) -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls::config(base));
    // No proxy leads back to this machine.
    if is_loopback(base) { http.no_proxy() } else { http }
}

/// A server, as seen by one caller. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    scope: Option<String>,
    trace: Option<Traceparent>,
    retries: Retries,
}

/// Without the key, which must not get into a log.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, scope, .. } = self;
        let mut fields = formatter.debug_struct("Client");
        fields.field("base", base).field("scope", scope).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at this address, such as `http://127.0.0.1:8787`. It presents no key
    /// and names no scope. With `https`, the certificate of the server must be one that the system
    /// trusts.
    pub fn new(base: &str) -> Result<Self> {
        let http = http(base).timeout(TIMEOUT).read_timeout(SILENCE_MAX);
        // What is meant for this server is not sent to another one.
        let http = http.redirect(Policy::none());
        let base = base.trim_end_matches('/').to_owned();
        let retries = Retries::default();
        Ok(Self { http: http.build()?, base, key: None, scope: None, trace: None, retries })
    }

    /// The same server, with a key.
    #[must_use]
    pub fn with_key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same server, with a scope for all requests that name none.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }

    /// The same server, with a trace that all requests belong to.
    #[must_use]
    pub fn with_trace(self, trace: Traceparent) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Calls an operation that is described elsewhere: a path from `/api/v1`, encoded, and a body
    /// that is null if there is none. Returns the status and the body, which is null if it is not
    /// JSON. A POST is carried out once, however often it is sent.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: &Value,
        wait: Option<Duration>,
    ) -> Result<(u16, Value)> {
        let is_post = method == Method::POST;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).query(query);
        if !body.is_null() {
            request = request.json(body);
        }
        if let Some(wait) = wait {
            let timeout = wait + Duration::from_secs(ANSWER_SECONDS);
            request = request.header("prefer", format!("wait={}", wait.as_secs())).timeout(timeout);
        }
        let exchanged = if is_post {
            self.exchange_once(request).await
        } else {
            self.exchange_again(request).await
        };
        let Answer { status, body, .. } = exchanged?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<T> {
        self.ask(self.request(Method::GET, path, query)).await
    }

    /// A DELETE has no body, so it names its scope like a GET.
    async fn delete<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<T> {
        self.ask(self.request(Method::DELETE, path, query)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.send(Method::POST, path, body).await
    }

    /// A POST that the server carries out once.
    async fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let Answer { status, body, .. } =
            self.exchange_once(self.with_body(Method::POST, path, body)?).await?;
        decode(status, &body)
    }

    async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.send(Method::PATCH, path, body).await
    }

    async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let Answer { status, body, .. } =
            self.exchange_again(self.with_body(Method::PUT, path, body)?).await?;
        decode(status, &body)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.ask(self.with_body(method, path, body)?).await
    }

    fn with_body(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<RequestBuilder> {
        let mut body = serde_json::to_value(body).map_err(Error::Unsendable)?;
        if let (Some(scope), Some(fields)) = (&self.scope, body.as_object_mut())
            && fields.get("scope").is_none_or(Value::is_null)
        {
            fields.insert("scope".to_owned(), scope.as_str().into());
        }
        Ok(self.http.request(method, format!("{}{path}", self.base)).json(&body))
    }

    fn request(&self, method: Method, path: &str, query: Query<'_>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).query(query);
        match &self.scope {
            Some(scope) if query.iter().all(|(name, _)| *name != "scope") => {
                request.query(&[("scope", scope)])
            }
            _ => request,
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let Answer { status, body, .. } = self.exchange(request).await?;
        decode(status, &body)
    }

    async fn list<T: DeserializeOwned>(
        &self,
        name: &str,
        path: &str,
        query: Query<'_>,
    ) -> Result<Listed<T>> {
        listed(name, self.get(path, query).await?)
    }

    async fn send_request(&self, request: RequestBuilder) -> Result<Response> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let request = match self.trace {
            Some(trace) => request.header("traceparent", trace.to_string()),
            None => request,
        };
        let response = request.send().await?;
        if response.status().is_redirection() {
            return Err(Error::redirected(&response));
        }
        Ok(response)
    }
}

fn decode<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T> {
    if status >= 400 {
        return Err(Error::refused(status, body));
    }
    serde_json::from_slice(body).map_err(|why| Error::UnexpectedBody { status, why })
}

/// A list: the items stand under `name`, beside the total if there is one.
fn listed<T: DeserializeOwned>(name: &str, mut answer: Value) -> Result<Listed<T>> {
    let items = answer.get_mut(name).map(Value::take).unwrap_or_default();
    let items: Vec<T> =
        serde_json::from_value(items).map_err(|why| Error::UnexpectedBody { status: 200, why })?;
    let total = answer["total"].as_u64().and_then(|total| usize::try_from(total).ok());
    let next_cursor = answer["next_cursor"].as_str().map(str::to_owned);
    Ok(Listed { total: total.unwrap_or(items.len()), items, next_cursor })
}

fn is_loopback(base: &str) -> bool {
    let host = Url::parse(base).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

/// A path under `/api/v1`, its parts encoded.
fn path<const N: usize>(parts: [&str; N]) -> String {
    let mut path = "/api/v1".to_owned();
    for part in parts {
        path.push('/');
        path.extend(utf8_percent_encode(part, &RESERVED));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{Client, is_loopback, path};

    #[test]
    fn the_key_is_not_shown() {
        let client = Client::new("http://127.0.0.1:1").unwrap().with_key("secret");
        let shown = format!("{client:?}");
        assert!(shown.contains("127.0.0.1") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn ids_are_encoded_whatever_they_hold() {
        assert_eq!(path(["tasks", "t-1_a.b~c"]), "/api/v1/tasks/t-1_a.b~c");
        assert_eq!(path(["tasks", "a/b c?d#ü%"]), "/api/v1/tasks/a%2Fb%20c%3Fd%23%C3%BC%25");
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for base in ["http://127.0.0.1:1", "http://127.8.8.8", "http://[::1]:1", "http://localhost"]
        {
            assert!(is_loopback(base), "{base}");
        }
        for base in ["http://10.0.0.1:1", "http://localhost.example", "nonsense"] {
            assert!(!is_loopback(base), "{base}");
        }
    }
}
