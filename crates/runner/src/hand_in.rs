//! Hands in the end of a run, again and again until the server has it.

use std::time::Duration;

use octopoid_client::{Client, Error};
use octopoid_domain::{
    TaskView,
    input::{Prose, Text},
    lease::Token,
    report::RunResult,
    steps::{Accept, Fail, Reject, Submit},
};
use serde::{Deserialize, Serialize};

use crate::{
    answers::{is_passing, is_too_large},
    clock,
};

/// The pause after the first request without an answer. It doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The end of a run, as it is sent, and kept until the server has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandIn {
    /// Work is done.
    Submit(Box<Submit>),
    /// The run has failed, or gives its task back.
    Fail(Box<Fail>),
    /// A review accepts the work.
    Accept(Box<Accept>),
    /// A review rejects the work.
    Reject(Box<Reject>),
}

impl HandIn {
    /// The end of a run that has failed before anything is known of it but its token.
    pub(crate) fn failed(token: &Token, reason: &str, message: &str) -> Self {
        Self::Fail(Box::new(Fail {
            lease_token: token.clone(),
            reason: Text(Some(reason.to_owned())),
            message: Prose(Some(message.to_owned())),
            ..Fail::default()
        }))
    }

    async fn send(&self, client: &Client, id: &str) -> Result<TaskView, Error> {
        match self {
            Self::Submit(body) => client.submit_task(id, body).await,
            Self::Fail(body) => client.fail_task(id, body).await,
            Self::Accept(body) => client.accept_task(id, body).await,
            Self::Reject(body) => client.reject_task(id, body).await,
        }
    }

    /// Leaves out what the server may have refused: a patch that is too large, then what was used, then
    /// the whole result. That the work is done matters more. False: there is nothing left to leave out.
    fn simplify(&mut self, error: &Error) -> bool {
        let (usage, result) = match self {
            Self::Submit(body) => (&mut body.usage, &mut body.result),
            Self::Fail(body) => (&mut body.usage, &mut body.result),
            Self::Accept(_) | Self::Reject(_) => return false,
        };
        if is_too_large(error) && result.as_mut().is_some_and(RunResult::remove_patch) {
            return true;
        }
        let is_of_body = matches!(error, Error::Refused { status: 400 | 413, .. });
        is_of_body && (usage.take().is_some() || result.take().is_some())
    }

    /// Hands it in. It is sent until there is an answer; with the token of its lease it has an effect
    /// once. The error is a refusal: another run has the task, say.
    pub(crate) async fn deliver(
        mut self,
        client: &Client,
        id: &str,
        mut on_delay: impl FnMut(&Error),
    ) -> Result<TaskView, Error> {
        let mut pause = PAUSE;
        loop {
            match self.send(client, id).await {
                Err(error) if is_passing(&error) => {
                    on_delay(&error);
                    clock::pause(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) if self.simplify(&error) => {}
                answer => return answer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_client::Error;
    use octopoid_domain::{report::RunResult, steps::Submit, usage::Usage};
    use serde_json::json;

    use super::HandIn;

    fn refused(status: u16, text: &str) -> Error {
        let (code, details) = ("invalid_request".to_owned(), Vec::new());
        Error::Refused { status, code, error: text.to_owned(), details }
    }

    #[test]
    fn what_is_refused_is_left_out_bit_by_bit() {
        let result: RunResult =
            serde_json::from_value(json!({ "summary": "s", "patch": "p" })).unwrap();
        let usage = Some(Usage::default());
        let body = Submit { result: Some(result), usage, ..Submit::default() };
        let mut hand_in = HandIn::Submit(Box::new(body));
        let parts = |hand_in: &HandIn| {
            let HandIn::Submit(body) = hand_in else { panic!("it is a submit") };
            let text = body.result.as_ref().map(RunResult::text);
            (text.unwrap_or_default(), body.usage.is_some())
        };
        assert!(!hand_in.simplify(&refused(409, "lease_lost")));
        assert!(hand_in.simplify(&refused(413, "Payload too large")));
        let without_patch = r#"{"summary":"s","patch_truncated":true}"#;
        assert_eq!(parts(&hand_in), (without_patch.to_owned(), true));
        assert!(hand_in.simplify(&refused(400, "usage is invalid")));
        assert_eq!(parts(&hand_in), (without_patch.to_owned(), false));
        assert!(hand_in.simplify(&refused(400, "result is invalid")));
        assert_eq!(parts(&hand_in), (String::new(), false));
        assert!(!hand_in.simplify(&refused(400, "no")));
    }
}
