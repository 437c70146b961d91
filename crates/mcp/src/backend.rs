//! What the tools call: operations of the HTTP API.

use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Ids may hold anything; only what RFC 3986 calls unreserved stands for itself in a path.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes.
    Post,
}

/// A call of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method.
    pub verb: Verb,
    /// The path from `/api/v1`, encoded.
    pub path: String,
    /// The parameters of the query.
    pub query: Vec<(&'static str, String)>,
    /// The body; null for none.
    pub body: Value,
    /// How long to wait for something to return, in seconds.
    pub wait_seconds: Option<u64>,
}

impl Call {
    /// A read of a path, given by its parts under `/api/v1`.
    pub(crate) fn get(parts: &[&str]) -> Self {
        Self::new(Verb::Get, parts, Value::Null)
    }

    /// A change by a POST.
    pub fn post(parts: &[&str], body: Value) -> Self {
        Self::new(Verb::Post, parts, body)
    }

    fn new(verb: Verb, parts: &[&str], body: Value) -> Self {
        let mut path = "/api/v1".to_owned();
        for part in parts {
            path.push('/');
            path.extend(utf8_percent_encode(part, &RESERVED));
        }
        Self { verb, path, query: Vec::new(), body, wait_seconds: None }
    }

    /// The same with a parameter.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// The same with a parameter, if it has a value.
    pub(crate) fn with_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, or null if it is not JSON.
    pub body: Value,
}

/// What calls of one connection have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The scope. With a key it is the key's, if none is named.
    pub scope: Option<String>,
    /// The flow of new tasks. Default: the server's.
    pub flow: Option<String>,
    /// The branch of new tasks. Default: `main`.
    pub branch: Option<String>,
    /// The name of callers that give none. Default: that of their client.
    pub agent: Option<String>,
}

/// The API behind the tools: the server's own router, or a server elsewhere.
pub trait Backend: Send + Sync {
    /// Calls an operation. An error says why there is no answer, and what to do about it.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, String>>;

    /// An unpredictable number, for ids.
    fn random(&self) -> u32;

    /// What calls have in common.
    fn defaults(&self) -> &Defaults;

    /// How a person names the scope, for calls that lack one.
    fn scope_remedy(&self) -> &'static str;
}
