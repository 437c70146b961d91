//! The lease under which a command acts: the one that a file or a variable holds, or the one that
//! `claim` has kept.

use std::path::PathBuf;

use octopoid_client::{Error, Result};
use octopoid_domain::lease::{LeaseToken, Token};

use crate::{
    clock::now,
    commands::read_text,
    failure::{Failure, Outcome},
    leases::Lease,
    session::Session,
};

/// The variable that holds a lease token.
const VARIABLE: &str = "OCTOPOID_LEASE_TOKEN";

/// The lease under which a step is taken.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseFlag {
    /// File that holds the lease token; `-` is the standard input [default: the token in
    /// `OCTOPOID_LEASE_TOKEN`, or that of `octopoid task claim` on this machine, if there is one].
    #[arg(long, value_name = "FILE")]
    lease_token_file: Option<PathBuf>,
}

/// Which kept leases a step may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// One for work or for a review.
    Any,
    /// Only one for a review: work is accepted by another than its holder.
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
        let named = self.named()?;
        let step = async |id: &str| {
            let token = named.clone().or_else(|| of_claim(session, id, kept));
            let answer = step(id, Token(token)).await;
            if let Err(error) = &answer {
                forget_if_lost(session, id, named.is_some(), error).await;
            }
            answer
        };
        session.about_task(given, step).await
    }

    /// The token that a file or the variable holds.
    fn named(&self) -> Outcome<Option<LeaseToken>> {
        let (text, from) = match &self.lease_token_file {
            Some(path) => (read_text(path)?, path.display().to_string()),
            None => match std::env::var(VARIABLE) {
                Ok(text) if !text.is_empty() => (text, VARIABLE.to_owned()),
                _ => return Ok(None),
            },
        };
        // The text is not shown: it may be a token all the same.
        let failure = || Failure::usage(format!("{from} does not hold the lease_token of a claim"));
        LeaseToken::parse(text.trim()).map(Some).ok_or_else(failure)
    }
}

/// The token that is kept for this task.
fn of_claim(session: &Session, id: &str, kept: Kept) -> Option<LeaseToken> {
    let lease = session.leases.of(id)?;
    let is_used = kept == Kept::Any || lease.is_review;
    LeaseToken::parse(&lease.token).filter(|_| is_used)
}

/// Forgets the kept lease if it is lost or its task is gone, so that it is not in the way of others.
async fn forget_if_lost(session: &Session, id: &str, is_token_named: bool, error: &Error) {
    let Error::Refused { code, .. } = error else { return };
    let Some(lease) = session.leases.of(id) else { return };
    let is_over = match &**code {
        "lease_lost" => !is_token_named,
        // In another scope, the task is not found either.
        "task_not_found" => session.scope().await.is_ok_and(|scope| scope == lease.scope),
        _ => false,
    };
    if is_over {
        session.leases.forget(id);
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
