//! Classifies errors of D1.

use octopoid_store::EngineError;
use worker::{Error, js_sys};

/// D1's code for constraint violations.
const CONSTRAINT: &str = "SQLITE_CONSTRAINT";

/// SQLite's code for a row or text that exceeds D1's limit.
const TOO_BIG: &str = "SQLITE_TOOBIG";

/// SQLite's codes for invalid or forbidden statements.
const STATEMENT: [&str; 6] = [
    "SQLITE_ERROR",
    "SQLITE_AUTH",
    "SQLITE_MISMATCH",
    "SQLITE_RANGE",
    "D1_TYPE_ERROR",
    "Wrong number of parameter bindings",
];

/// Messages of D1 when it has not started a batch: the storage limit of the database or the account
/// is reached, D1 is overloaded, or the daily quota of rows is exhausted.
const REFUSED: [&str; 8] = [
    "SQLITE_FULL",
    "overloaded",
    "Too many",
    "maximum DB size",
    "maximum account storage",
    "limit exceeded",
    "daily limit",
    "free tier daily row",
];

/// SQLite's code for a corrupt database.
const DAMAGED: [&str; 2] = ["SQLITE_CORRUPT", "SQLITE_NOTADB"];

/// Converts an error of the binding.
pub(crate) fn engine_error(error: &Error, is_write: bool) -> EngineError {
    classified(message(error), is_write)
}

fn message(error: &Error) -> String {
    match error {
        Error::D1(error) => AsRef::<js_sys::Error>::as_ref(error).message().into(),
        error => error.to_string(),
    }
}

/// D1's errors can be distinguished only by their text. Errors that concern neither the data nor
/// the statement are temporary: an overload, a timeout, a lost connection. A write may then have
/// been committed, unless D1 reports that it has not started.
fn classified(message: String, is_write: bool) -> EngineError {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&[CONSTRAINT]) {
        EngineError::Constraint(message)
    } else if says(&[TOO_BIG]) {
        EngineError::RowTooLarge
    } else if says(&DAMAGED) {
        EngineError::Damaged(message)
    } else if says(&STATEMENT) {
        EngineError::Statement(message)
    } else if is_write && !says(&REFUSED) {
        EngineError::Unconfirmed(message)
    } else {
        EngineError::Unavailable(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(message: &str, is_write: bool) -> EngineError {
        classified(message.to_owned(), is_write)
    }

    #[test]
    fn errors_are_told_apart_by_their_words() {
        let constraint =
            is("D1_ERROR: UNIQUE constraint failed: tasks.id: SQLITE_CONSTRAINT", true);
        assert!(matches!(constraint, EngineError::Constraint(_)), "{constraint}");
        let broken = is("D1_ERROR: no such table: nowhere: SQLITE_ERROR", true);
        assert!(matches!(broken, EngineError::Statement(_)), "{broken}");
        let long = is("D1_ERROR: string or blob too big: SQLITE_TOOBIG", true);
        assert!(matches!(long, EngineError::RowTooLarge), "{long}");
    }

    #[test]
    fn a_write_of_which_nothing_is_known_may_have_been_done() {
        let lost = "D1_ERROR: Network connection lost.";
        let unconfirmed = is(lost, true);
        assert!(matches!(unconfirmed, EngineError::Unconfirmed(_)), "{unconfirmed}");
        let unread = is(lost, false);
        assert!(matches!(unread, EngineError::Unavailable(_)), "{unread}");
        let busy = is("D1_ERROR: D1 DB is overloaded. Too many requests queued.", true);
        assert!(matches!(busy, EngineError::Unavailable(_)), "{busy}");
    }

    #[test]
    fn a_write_beyond_the_allowance_was_not_done() {
        for message in [
            "D1_ERROR: Your account has exceeded D1's free tier daily row write limit. Upgrade to a \
             paid plan or wait until tomorrow (midnight UTC) to continue.",
            "D1_ERROR: Your account has exceeded D1's free tier daily row read limit. Upgrade to a \
             paid plan or wait until tomorrow (midnight UTC) to continue.",
            "D1_ERROR: Exceeded maximum DB size.",
            "D1_ERROR: Exceeded maximum account storage limit.",
        ] {
            let refused = is(message, true);
            assert!(matches!(refused, EngineError::Unavailable(_)), "{refused}");
        }
        let reset = is("D1_ERROR: D1 DB exceeded its CPU time limit and was reset.", true);
        assert!(matches!(reset, EngineError::Unconfirmed(_)), "{reset}");
    }
}
