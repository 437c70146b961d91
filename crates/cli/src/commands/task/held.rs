//! The lease under which a command acts: the one of a flag, or the one that `claim` has kept.

use octopoid_client::{Error, Result};
use octopoid_domain::lease::{LeaseToken, Token};

use crate::{
    clock::now,
    failure::{Failure, Outcome},
    leases::Lease,
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
                self.forget_if_lost(session, id, error).await;
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

    /// Forgets the kept lease if it is lost or its task is gone, so that it is not in the way of
    /// others.
    async fn forget_if_lost(&self, session: &Session, id: &str, error: &Error) {
        let Error::Refused { code, .. } = error else { return };
        let Some(lease) = session.leases.of(id) else { return };
        let is_over = match &**code {
            "lease_lost" => self.lease_token.is_none(),
            // In another scope, the task is not found either.
            "task_not_found" => session.scope().await.is_ok_and(|scope| scope == lease.scope),
            _ => false,
        };
        if is_over {
            session.leases.forget(id);
        }
    }
}

/// The id that is named, or that of the only task which is claimed on this machine in this scope.
pub(crate) async fn named_or_claimed(session: &Session, id: Option<&String>) -> Outcome<String> {
    if let Some(id) = id {
        return Ok(id.clone());
    }
    let mut leases = session.leases.all();
    leases.retain(|lease| !lease.is_over(now()));
    if leases.is_empty() {
        return Err(Failure::usage("no task is named, and none is claimed on this machine")
            .remedy("claim one: octopoid task claim"));
    }
    let scope = session.scope().await?;
    let (mut here, elsewhere): (Vec<_>, Vec<_>) =
        leases.into_iter().partition(|lease| lease.scope == scope);
    match here.len() {
        1 => Ok(here.remove(0).task_id),
        0 => {
            let text = format!("no task is named, and none of scope {scope} is claimed here");
            let named = elsewhere.iter().map(|lease| {
                let Lease { task_id, scope, .. } = lease;
                format!("{task_id} of scope {scope}")
            });
            let named = named.collect::<Vec<_>>().join(", ");
            Err(Failure::usage(text)
                .remedy(format!("claimed are {named}: name the scope with --scope")))
        }
        _ => {
            let ids: Vec<_> = here.into_iter().map(|lease| lease.task_id).collect();
            Err(Failure::usage("no task is named, and several are claimed on this machine")
                .remedy(format!("name one: {}", ids.join(", "))))
        }
    }
}
