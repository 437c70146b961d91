//! Hands in the end of a run, again and again until the server has it.

use std::time::Duration;

use octopoid_client::{Client, Error};
use octopoid_domain::{
    TaskView,
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
    async fn send(&self, client: &Client, id: &str) -> Result<TaskView, Error> {
        match self {
            Self::Submit(body) => client.submit_task(id, body).await,
            Self::Fail(body) => client.fail_task(id, body).await,
            Self::Accept(body) => client.accept_task(id, body).await,
            Self::Reject(body) => client.reject_task(id, body).await,
        }
    }

    /// Without the patch, for a server that takes smaller requests than this one. False: there is
    /// none.
    fn drop_patch(&mut self) -> bool {
        let result = match self {
            Self::Submit(body) => &mut body.result,
            Self::Fail(body) => &mut body.result,
            Self::Accept(_) | Self::Reject(_) => return false,
        };
        result.as_mut().is_some_and(RunResult::remove_patch)
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
                Err(error) if is_too_large(&error) && self.drop_patch() => {}
                answer => return answer,
            }
        }
    }
}
