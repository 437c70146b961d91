//! The reasons of failures that the output of a program can show, and how they are recognized.
//!
//! The names are those of [`octopoid_domain::failure::REASONS`].

use octopoid_domain::text::cut;

/// A rate limit or usage limit of the provider, or an overloaded provider.
pub const PROVIDER_LIMIT: &str = "provider_limit";
/// The provider does not know the caller.
pub const PROVIDER_AUTH: &str = "provider_auth";
/// Nothing is left to pay with.
pub const PROVIDER_QUOTA: &str = "provider_quota";
/// The provider failed.
pub const PROVIDER_ERROR: &str = "provider_error";
/// The provider cannot be reached.
pub const NETWORK: &str = "network";
/// The program is missing, or cannot be executed.
pub const MISSING_TOOL: &str = "missing_tool";
/// The program refuses its arguments, its configuration, the model, or the session to resume.
pub const BAD_CONFIG: &str = "bad_config";
/// Something that the program needs failed for now.
pub const SETUP_FAILED: &str = "setup_failed";
/// The program ended well and printed nothing.
pub const EMPTY_OUTPUT: &str = "empty_output";
/// The program ended well and changed nothing.
pub const NO_CHANGE: &str = "no_change";
/// The program was killed, most likely because memory ran out.
pub const OOM: &str = "oom";
/// The program ended without a report.
pub const CRASH: &str = "crash";
/// Any other failure.
pub const OTHER: &str = "other";
/// The limit of turns is reached.
pub const TURN_LIMIT: &str = "turn_limit";
/// The limit of money is reached.
pub const BUDGET: &str = "budget";
/// The conversation does not fit into the model's context window.
pub const CONTEXT_OVERFLOW: &str = "context_overflow";
/// A permission is missing that only a person can give.
pub const NEEDS_INPUT: &str = "needs_input";

/// Bytes of a message in which words are looked for.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// The reason for an HTTP status of the provider. 529 is the status of an overloaded provider.
pub fn of_status(status: i64) -> Option<&'static str> {
    match status {
        401 | 403 => Some(PROVIDER_AUTH),
        402 => Some(PROVIDER_QUOTA),
        404 => Some(BAD_CONFIG),
        429 | 529 => Some(PROVIDER_LIMIT),
        500..=599 => Some(PROVIDER_ERROR),
        _ => None,
    }
}

/// Words that show a reason, in the order in which they are looked for: a message about a quota also
/// speaks of limits, and one about the network also of a broken stream.
const WORDS: &[(&str, &[&str])] = &[
    (
        CONTEXT_OVERFLOW,
        &[
            "context window",
            "context length",
            "context_length_exceeded",
            "prompt is too long",
            "maximum number of tokens allowed",
        ],
    ),
    (PROVIDER_AUTH, &["missing environment variable", "not logged in", "invalid api key"]),
    (PROVIDER_AUTH, &["incorrect api key", "unauthorized", "invalid auth method"]),
    (PROVIDER_AUTH, &["failed to authenticate", "authentication_error", "403 forbidden"]),
    (PROVIDER_QUOTA, &["insufficient_quota", "credit balance", "billing details"]),
    (PROVIDER_LIMIT, &["usage limit", "rate limit", "rate_limit", "too many requests"]),
    (PROVIDER_LIMIT, &["daily quota", "overloaded_error", "resource_exhausted"]),
    (NETWORK, &["econnrefused", "econnreset", "enotfound", "etimedout", "connection refused"]),
    (NETWORK, &["failed to lookup address", "connection failed", "error sending request"]),
    (PROVIDER_ERROR, &["high demand", "internal server error", "service unavailable"]),
    (PROVIDER_ERROR, &["stream disconnected", "stream ended", "stream closed", "overloaded"]),
    (EMPTY_OUTPUT, &["empty response"]),
];

/// What stands before an HTTP status in a message.
const BEFORE_STATUS: &[&str] = &["status ", "status: ", "\"code\":", "api error: "];

/// The reason that the words of an error message show.
pub fn of_text(message: &str) -> Option<&'static str> {
    let message = cut(message, MESSAGE_BYTES_MAX).to_lowercase();
    let named = |(reason, words): &(&'static str, &[&str])| {
        words.iter().any(|word| message.contains(word)).then_some(*reason)
    };
    let named = WORDS.iter().find_map(named);
    // A status says more than words that may be the provider's or a person's, except where the same
    // status has several reasons.
    match named {
        Some(CONTEXT_OVERFLOW | PROVIDER_QUOTA) => named,
        _ => status_in(&message).and_then(of_status).or(named),
    }
}

/// The first HTTP status in a message.
fn status_in(message: &str) -> Option<i64> {
    let after = |before: &&str| message.find(before).map(|at| &message[at + before.len()..]);
    BEFORE_STATUS.iter().filter_map(after).find_map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 3 { rest[..digits].parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopoid_domain::failure::Reason;

    #[test]
    fn all_names_are_known_to_the_server() {
        let more = [
            MISSING_TOOL,
            SETUP_FAILED,
            NO_CHANGE,
            OOM,
            CRASH,
            OTHER,
            TURN_LIMIT,
            BUDGET,
            NEEDS_INPUT,
        ];
        let of_status = [401, 402, 404, 429, 500].map(|status| of_status(status).unwrap());
        for name in WORDS.iter().map(|(name, _)| *name).chain(more).chain(of_status) {
            assert!(Reason::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_status_says_more_than_words() {
        assert_eq!(of_text("unexpected status 529 <unknown>: Overloaded"), Some(PROVIDER_LIMIT));
        assert_eq!(
            of_text("exceeded retry limit, last status: 429 Too Many"),
            Some(PROVIDER_LIMIT)
        );
        assert_eq!(of_text("{\"error\":{\"code\":401,\"message\":\"no\"}}"), Some(PROVIDER_AUTH));
        assert_eq!(of_text("status 400: context_length_exceeded"), Some(CONTEXT_OVERFLOW));
        assert_eq!(of_text("status 429: check your billing details"), Some(PROVIDER_QUOTA));
        assert_eq!(of_text("status 4290, status"), None);
        assert_eq!(of_text(""), None);
    }
}
