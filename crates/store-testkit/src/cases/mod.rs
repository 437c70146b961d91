//! A file for each thing the store does.

mod blocking;
mod claiming;
mod confining;
mod copying;
mod counting;
mod creating;
mod deleting;
mod editing;
mod filtering;
mod flows;
mod forcing;
mod leasing;
mod listing;
mod reviewing;
mod schema;
mod submitting;
mod telling;
mod verdicts;

use crate::Case;

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        creating::CASES,
        claiming::CASES,
        filtering::CASES,
        reviewing::CASES,
        leasing::CASES,
        submitting::CASES,
        verdicts::CASES,
        flows::CASES,
        forcing::CASES,
        editing::CASES,
        blocking::CASES,
        deleting::CASES,
        confining::CASES,
        telling::CASES,
        counting::CASES,
        listing::CASES,
        schema::CASES,
        copying::CASES,
    ]
    .into_iter()
    .flatten()
}
