//! What a refused or lost request means for a run.

use octopoid_client::Error;

/// Whether the same request may have an effect later. A key that was revoked or may not do this can be
/// replaced; a result is not thrown away for it.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error {
        Error::Transport(error) => !error.is_builder(),
        Error::UnexpectedBody { .. } | Error::Redirected { .. } => true,
        Error::Refused { status, .. } => matches!(status, 401 | 403 | 429 | 500..),
        Error::Unsendable(_) => false,
    }
}

/// Whether the server does not take the key.
pub(crate) fn is_of_key(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 401 | 403, .. })
}

/// Whether the body was too large.
pub(crate) fn is_too_large(error: &Error) -> bool {
    match error {
        Error::Refused { status: 413, .. } => true,
        Error::Refused { status: 400, error, .. } => error.contains("too long"),
        _ => false,
    }
}
