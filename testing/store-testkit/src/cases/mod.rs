//! A file for each thing the store does.

mod actions;
mod asking;
mod availability;
mod blocking;
mod claiming;
mod confining;
mod confining_nouns;
mod copying;
mod counting;
mod creating;
mod cycles;
mod deleting;
mod drafts;
mod editing;
mod events;
mod failing;
mod filtering;
mod flows;
mod forcing;
mod heartbeats;
mod idempotency;
mod journal;
mod keys;
mod leasing;
mod listing;
mod logs;
mod messages;
mod orchestrators;
mod paging;
mod pauses;
mod poll;
mod projects;
mod registering_flows;
mod retention;
mod reviewing;
mod roles;
mod runs;
mod schema;
mod scopes;
mod submitting;
mod summary;
mod telling;
mod tokens;
mod totals;
mod verdicts;
mod webhooks;
mod why;

use crate::Case;

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        creating::CASES,
        claiming::CASES,
        filtering::CASES,
        reviewing::CASES,
        leasing::CASES,
        tokens::CASES,
        totals::CASES,
        totals::CASES,
        failing::CASES,
        asking::CASES,
        availability::CASES,
        submitting::CASES,
        verdicts::CASES,
        flows::CASES,
        forcing::CASES,
        editing::CASES,
        blocking::CASES,
        cycles::CASES,
        deleting::CASES,
        confining::CASES,
        telling::CASES,
        counting::CASES,
        listing::CASES,
        schema::CASES,
        copying::CASES,
        orchestrators::CASES,
        journal::CASES,
        events::CASES,
        keys::CASES,
        scopes::CASES,
        roles::CASES,
        registering_flows::CASES,
        poll::CASES,
        projects::CASES,
        drafts::CASES,
        messages::CASES,
        actions::CASES,
        confining_nouns::CASES,
        paging::CASES,
        runs::CASES,
        logs::CASES,
        retention::CASES,
        heartbeats::CASES,
        pauses::CASES,
        why::CASES,
        summary::CASES,
        idempotency::CASES,
        webhooks::CASES,
    ]
    .into_iter()
    .flatten()
}
