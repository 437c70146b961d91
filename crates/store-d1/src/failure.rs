//! Errors: whose fault they are.

use octopoid_store::EngineError;
use worker::{Error, js_sys};

/// The code in which D1 reports every broken constraint.
const CONSTRAINT: &str = "SQLITE_CONSTRAINT";

/// Codes of SQLite that blame the statement: its text, what it may not do, or its size.
const STATEMENT: [&str; 7] = [
    "SQLITE_ERROR",
    "SQLITE_AUTH",
    "SQLITE_MISMATCH",
    "SQLITE_RANGE",
    "SQLITE_TOOBIG",
    "D1_TYPE_ERROR",
    "Wrong number of parameter bindings",
];

/// An error of the binding, in the store's words.
pub(crate) fn engine_error(error: &Error) -> EngineError {
    classified(message(error))
}

fn message(error: &Error) -> String {
    match error {
        Error::D1(error) => AsRef::<js_sys::Error>::as_ref(error).message().into(),
        error => error.to_string(),
    }
}

/// D1 tells its errors apart by words only. Those that blame neither the data nor the statement are
/// of the moment: an overload, a timeout, a connection that was lost.
fn classified(message: String) -> EngineError {
    if message.contains(CONSTRAINT) {
        EngineError::Constraint(message)
    } else if STATEMENT.iter().any(|word| message.contains(word)) {
        EngineError::Statement(message)
    } else {
        EngineError::Unavailable(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_words() {
        let constraint = "D1_ERROR: UNIQUE constraint failed: tasks.id: SQLITE_CONSTRAINT";
        let constraint = classified(constraint.to_owned());
        assert!(matches!(constraint, EngineError::Constraint(_)), "{constraint}");
        let broken = classified("D1_ERROR: no such table: nowhere: SQLITE_ERROR".to_owned());
        assert!(matches!(broken, EngineError::Statement(_)), "{broken}");
        let busy =
            classified("D1_ERROR: D1 DB is overloaded. Too many requests queued.".to_owned());
        assert!(matches!(busy, EngineError::Unavailable(_)), "{busy}");
    }
}
