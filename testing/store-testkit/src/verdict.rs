//! How a case ends, and the words in which it says what it expected.

use std::fmt;

use octopoid_domain::{Refusal, input::BodyError};
use octopoid_store::{EngineError, StoreError};

/// What a case comes to.
pub type Verdict = Result<(), Failure>;

/// Why a case failed.
pub struct Failure(String);

impl Failure {
    /// A failure at this place of the source.
    #[track_caller]
    pub fn new(what: impl fmt::Display) -> Self {
        let place = std::panic::Location::caller();
        Self(format!("{place}: {what}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The same words: a test that unwraps a verdict should show them as they are.
impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<StoreError> for Failure {
    #[track_caller]
    fn from(error: StoreError) -> Self {
        let reason = match &error {
            StoreError::Refused(refusal) => refusal.reason(),
            _ => None,
        };
        Self::new(match reason {
            Some(reason) => format!("the store refused: {error}: {reason}"),
            None => format!("the store refused: {error}"),
        })
    }
}

impl From<EngineError> for Failure {
    #[track_caller]
    fn from(error: EngineError) -> Self {
        Self::new(error)
    }
}

impl From<BodyError> for Failure {
    #[track_caller]
    fn from(error: BodyError) -> Self {
        Self::new(format!("a case wrote a body that cannot be read: {error}"))
    }
}

impl From<Refusal> for Failure {
    #[track_caller]
    fn from(refusal: Refusal) -> Self {
        Self::from(StoreError::from(refusal))
    }
}

impl From<serde_json::Error> for Failure {
    #[track_caller]
    fn from(error: serde_json::Error) -> Self {
        Self::new(error)
    }
}

/// The code of a refusal, or `None` for whatever else happened.
pub fn code<T>(answer: &octopoid_store::Result<T>) -> Option<&'static str> {
    match answer {
        Err(StoreError::Refused(refusal)) => Some(refusal.code()),
        Ok(_) | Err(_) => None,
    }
}

/// What a refusal tells the caller: its text, and the reason where it has one.
pub fn words<T>(answer: &octopoid_store::Result<T>) -> String {
    match answer {
        Err(StoreError::Refused(refusal)) => match refusal.reason() {
            Some(reason) => format!("{refusal}: {reason}"),
            None => refusal.to_string(),
        },
        Err(error) => error.to_string(),
        Ok(_) => "no refusal".to_owned(),
    }
}

/// Fails the case unless a condition holds: `ensure!(condition)`, or with what was expected in words,
/// `ensure!(condition, "what was expected")`.
#[macro_export]
macro_rules! ensure {
    ($condition:expr) => {
        $crate::ensure!($condition, "it does not hold that {}", stringify!($condition))
    };
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($what)+)));
        }
    };
}

/// Fails the case unless both are equal: `ensure_eq!(found, expected)`, or with the reason in words,
/// `ensure_eq!(found, expected, "why they should be")`.
#[macro_export]
macro_rules! ensure_eq {
    ($found:expr, $expected:expr) => {
        $crate::ensure_eq!($found, $expected, "{}", stringify!($found))
    };
    ($found:expr, $expected:expr, $($what:tt)+) => {
        // A `match`, so that what the expressions borrow from lives until the end.
        match (&$found, &$expected) {
            (found, expected) => {
                if found != expected {
                    return Err($crate::Failure::new(format!(
                        "{}\n     found {found:?}\n  expected {expected:?}",
                        format_args!($($what)+)
                    )));
                }
            }
        }
    };
}

/// Fails the case unless an operation was refused with this code, and with these words if any are
/// given: `ensure_refused!(answer, "wrong_state", "the words")`.
#[macro_export]
macro_rules! ensure_refused {
    ($answer:expr, $code:literal $(, $words:expr)?) => {{
        let answer = $answer;
        if $crate::verdict::code(&answer) != Some($code) {
            return Err($crate::Failure::new(format!(
                "expected the refusal `{}`, found {answer:?}",
                $code
            )));
        }
        $($crate::ensure_eq!(
            $crate::verdict::words(&answer), $words, "the words of a refusal"
        );)?
    }};
}
