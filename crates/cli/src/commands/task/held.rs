//! The lease under which a command acts: the one of a flag, or the one that `claim` has kept.

use octopoid_client::{Error, Result};
use octopoid_domain::lease::{LeaseToken, Token};

use crate::{
    failure::{Failure, Outcome},
    session::Session,
};

/// The lease under which a step is taken.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseFlag {
    /// Lease token [default: that of `octopoid task claim` on this machine, if there is one].
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    lease_token: Option<LeaseToken>,
}

fn token(text: &str) -> std::result::Result<LeaseToken, String> {
    LeaseToken::parse(text).ok_or_else(|| "it is not the lease_token of a claim".to_owned())
}

/// Which kept leases a step may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// One for work or for a review.
    Any,
    /// Only one for a review: whoever accepts work does not hold it.
    Review,
}

impl LeaseFlag {
    /// Takes a step that ends a lease, which is forgotten then.
    pub(crate) async fn end<T>(
        &self,
        session: &Session,
        given: &str,
        kept: Kept,
        step: impl AsyncFn(&str, Token) -> Result<T>,
    ) -> Outcome<T> {
        let step = async |id: &str, token| {
            let answer = step(id, token).await?;
            session.leases.forget(id);
            Ok(answer)
        };
        self.under(session, given, kept, step).await
    }

    /// Does something under a lease.
    pub(crate) async fn under<T>(
        &self,
        session: &Session,
        given: &str,
        kept: Kept,
        step: impl AsyncFn(&str, Token) -> Result<T>,
    ) -> Outcome<T> {
        let step = async |id: &str| {
            let answer = step(id, self.token(session, id, kept)).await;
            if let Err(error) = &answer {
                self.forget_if_lost(session, id, error);
            }
            answer
        };
        session.about_task(given, step).await
    }

    /// The token to send: the given one, or the one that is kept for this task.
    fn token(&self, session: &Session, id: &str, kept: Kept) -> Token {
        let of_claim = || {
            let lease = session.leases.of(id)?;
            let is_used = kept == Kept::Any || lease.is_review;
            LeaseToken::parse(&lease.token).filter(|_| is_used)
        };
        Token(self.lease_token.clone().or_else(of_claim))
    }

    /// Forgets the kept lease if it was used and is lost, so that it is not in the way of others.
    fn forget_if_lost(&self, session: &Session, id: &str, error: &Error) {
        let is_lost = matches!(error, Error::Refused { code, .. } if code == "lease_lost");
        if is_lost && self.lease_token.is_none() {
            session.leases.forget(id);
        }
    }
}

/// The id that is named, or that of the only task which is claimed on this machine.
pub(crate) fn named_or_claimed(session: &Session, id: Option<&String>) -> Outcome<String> {
    if let Some(id) = id {
        return Ok(id.clone());
    }
    let mut leases = session.leases.all();
    match leases.len() {
        1 => Ok(leases.remove(0).task_id),
        0 => Err(Failure::usage("no task is named, and none is claimed on this machine")
            .remedy("claim one: octopoid task claim")),
        _ => {
            let ids: Vec<_> = leases.into_iter().map(|lease| lease.task_id).collect();
            Err(Failure::usage("no task is named, and several are claimed on this machine")
                .remedy(format!("name one: {}", ids.join(", "))))
        }
    }
}
