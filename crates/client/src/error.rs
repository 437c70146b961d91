//! Why a request came to nothing.

use reqwest::{Response, header::LOCATION};
use serde::Deserialize;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server said no, and why.
    #[error("{error} ({status} {code})")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// The reason, for programs.
        code: String,
        /// The reason, in words.
        error: String,
        /// More words, such as the state a task is in.
        details: Vec<String>,
    },
    /// No answer came, or not all of it. The server may have done what was asked all the same.
    #[error("the server could not be reached")]
    Transport(#[from] reqwest::Error),
    /// The answer sends the request elsewhere. It was not sent there, because the body and the key
    /// are for this server alone.
    #[error("the server redirects to {target} ({status})")]
    Redirected {
        /// The status of the answer.
        status: u16,
        /// Where to, without a query; empty if the answer does not say it.
        target: String,
    },
    /// The answer is not what this client knows; perhaps something other than the server gave it.
    #[error("the server's answer with status {status} makes no sense")]
    UnexpectedBody {
        /// The status of the answer.
        status: u16,
        /// What is wrong with its body.
        #[source]
        why: serde_json::Error,
    },
    /// The body cannot be written as JSON. Nothing was sent.
    #[error("the request cannot be written as JSON")]
    Unsendable(#[source] serde_json::Error),
}

/// What an operation of the client comes to.
pub type Result<T> = std::result::Result<T, Error>;

/// What every error body has.
#[derive(Deserialize)]
struct Body {
    error: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    details: Vec<String>,
}

impl Error {
    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. }
            | Self::Redirected { status, .. }
            | Self::UnexpectedBody { status, .. } => Some(*status),
            Self::Transport(_) | Self::Unsendable(_) => None,
        }
    }

    /// An answer that sends the request elsewhere.
    pub(crate) fn redirected(response: &Response) -> Self {
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| response.url().join(target).ok());
        let target = target.map(|mut target| {
            target.set_query(None);
            target.set_fragment(None);
            let _ = target.set_username("").and_then(|()| target.set_password(None));
            target.to_string()
        });
        Self::Redirected { status: response.status().as_u16(), target: target.unwrap_or_default() }
    }

    /// Reads the body of an answer that says no.
    pub(crate) fn refused(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Body { error, code, details }) => Self::Refused { status, code, error, details },
            Err(why) => Self::UnexpectedBody { status, why },
        }
    }
}
