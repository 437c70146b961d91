//! The settings, from the Worker's variables and secrets. They have the names of the native
//! server's environment variables.

use jiff::{Span, SpanRelativeTo};
use octopoid_api::{
    AuthMode, Origin, Settings,
    auth::{AdminKey, SHORT_ADMIN_KEY},
    rate_limit::RATE_MAX,
};
use octopoid_domain::webhook;
use tracing::Level;

/// How often the cron trigger of `wrangler.toml` runs the jobs.
const JOBS_PERIOD_MS: i64 = 60_000;

/// The maximum size of a request body. A D1 row is limited to 2,000,000 bytes, and a task's row
/// consists mostly of one request: rejecting the request is better than D1's error.
const BODY_BYTES_MAX: usize = 1_900_000;

/// The maximum size of a run's result, which is a row of D1 with its patch.
const RESULT_BYTES_MAX: usize = 1 << 20;
/// The maximum size of a patch; of a longer one the beginning is stored.
const PATCH_BYTES_MAX: usize = 512 << 10;
/// How many bytes of a run's log are kept.
const LOG_BYTES_MAX: usize = 128 << 10;

/// The memory budget, in an instance with 128 MB.
const IN_FLIGHT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads the settings. A Worker is publicly reachable, so keys are required unless configured
/// otherwise, and an invalid value fails every request instead of allowing access.
pub(crate) fn settings(read: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
    let read = |name: &str| read(name).filter(|value| !value.is_empty());
    let admin_key = read("API_SECRET_KEY").as_deref().and_then(AdminKey::read);
    if admin_key.is_some_and(|key| key.is_short) {
        tracing::warn!("{SHORT_ADMIN_KEY}");
    }
    let mut settings = Settings {
        auth: auth_mode(read("OCTOPOID_AUTH").as_deref())?,
        admin_key_hash: admin_key.map(|key| key.hash),
        body_bytes_max: BODY_BYTES_MAX,
        in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
        result_bytes_max: RESULT_BYTES_MAX,
        patch_bytes_max: PATCH_BYTES_MAX,
        log_bytes_max: LOG_BYTES_MAX,
        jobs_period_ms: JOBS_PERIOD_MS,
        webhooks: webhook_rules(read("OCTOPOID_WEBHOOK_ALLOW_PRIVATE").as_deref())?,
        ..Settings::default().with_short_jobs()
    };
    if let Some(grace) = read("OCTOPOID_LEASE_GRACE") {
        settings.lease_grace_ms = duration_ms("OCTOPOID_LEASE_GRACE", &grace)?;
    }
    if let Some(kept) = read("OCTOPOID_RETAIN_EVENTS") {
        settings.retain_events_ms = match duration_ms("OCTOPOID_RETAIN_EVENTS", &kept)? {
            0 => return Err("OCTOPOID_RETAIN_EVENTS must not be zero".to_owned()),
            kept => kept,
        };
    }
    if let Some(period) = read("OCTOPOID_RETAIN_LOGS") {
        settings.retain_logs_ms = duration_ms("OCTOPOID_RETAIN_LOGS", &period)?;
    }
    settings.key_rate_max = rate("OCTOPOID_RATE_LIMIT_KEY", read("OCTOPOID_RATE_LIMIT_KEY"))?;
    settings.address_rate_max =
        rate("OCTOPOID_RATE_LIMIT_ADDRESS", read("OCTOPOID_RATE_LIMIT_ADDRESS"))?;
    if let Some(kept) = read("OCTOPOID_RETAIN_DONE") {
        settings.retain_done_ms = match duration_ms("OCTOPOID_RETAIN_DONE", &kept)? {
            0 => return Err("OCTOPOID_RETAIN_DONE must not be zero".to_owned()),
            kept => Some(kept),
        };
    }
    if let Some(origins) = read("OCTOPOID_CORS_ORIGIN") {
        let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        settings.cors_origins = origins.map(cors_origin).collect::<Result<_, _>>()?;
    }
    Ok(settings)
}

/// The log level: `info` has a line for every change, `warn` only warnings and errors.
pub(crate) fn log_level(read: impl Fn(&str) -> Option<String>) -> Result<Level, String> {
    match read("OCTOPOID_LOG").as_deref() {
        None | Some("" | "info") => Ok(Level::INFO),
        Some("warn") => Ok(Level::WARN),
        Some("error") => Ok(Level::ERROR),
        Some(other) => Err(format!("OCTOPOID_LOG is \"{other}\", not info, warn or error")),
    }
}

fn auth_mode(text: Option<&str>) -> Result<AuthMode, String> {
    match text {
        None | Some("required") => Ok(AuthMode::Required),
        Some("open") => Ok(AuthMode::Open),
        Some(other) => Err(format!("OCTOPOID_AUTH is \"{other}\", not open or required")),
    }
}

/// A Worker sends to public addresses by HTTPS, unless it runs where there are others.
fn webhook_rules(text: Option<&str>) -> Result<webhook::Rules, String> {
    let allows = match text {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let name = "OCTOPOID_WEBHOOK_ALLOW_PRIVATE";
            return Err(format!("{name} is \"{other}\", not true or false"));
        }
    };
    Ok(webhook::Rules { allows_private: allows, allows_http: allows })
}

/// Parses a number of requests per minute; 0 and nothing are no limit.
fn rate(name: &str, text: Option<String>) -> Result<Option<u32>, String> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(rate @ 0..=RATE_MAX) => Ok(Some(rate).filter(|rate| *rate > 0)),
        _ => Err(format!("{name} is \"{text}\", not a whole number from 0 to {RATE_MAX}")),
    }
}

fn cors_origin(text: &str) -> Result<Origin, String> {
    text.parse().map_err(|error| format!("OCTOPOID_CORS_ORIGIN has \"{text}\": {error}"))
}

/// Parses the value of a variable: `90s`, `2m`, `1h 30m` or `30d`.
fn duration_ms(name: &str, text: &str) -> Result<i64, String> {
    let span: Result<Span, _> = text.parse();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let duration = duration.map_err(|error| format!("{name}: {error}"))?;
    match i64::try_from(duration.as_millis()) {
        Ok(duration @ 0..) => Ok(duration),
        Ok(_) => Err(format!("{name} cannot be negative")),
        Err(_) => Err(format!("{name} is too long")),
    }
}

#[cfg(test)]
mod tests {
    use octopoid_api::auth;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        settings(|asked| {
            let found = vars.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_worker_without_settings_lets_nobody_in() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.auth, AuthMode::Required);
        assert_eq!(settings.admin_key_hash, None);
        assert_eq!(settings.webhooks, webhook::Rules::default());
        assert_eq!(read(&[("API_SECRET_KEY", "")]).unwrap().admin_key_hash, None);
    }

    #[test]
    fn settings_have_the_names_and_forms_of_the_native_server() {
        let settings = read(&[
            ("OCTOPOID_AUTH", "open"),
            ("API_SECRET_KEY", "secret\n"),
            ("OCTOPOID_LEASE_GRACE", "1m 30s"),
            ("OCTOPOID_RETAIN_EVENTS", "2d"),
            ("OCTOPOID_RETAIN_LOGS", "24h"),
            ("OCTOPOID_RETAIN_DONE", "90d"),
            ("OCTOPOID_CORS_ORIGIN", "https://a.example, https://b.example,"),
        ])
        .unwrap();
        assert_eq!(settings.auth, AuthMode::Open);
        assert_eq!(settings.admin_key_hash, Some(auth::hash("secret")));
        assert_eq!(settings.lease_grace_ms, 90_000);
        assert_eq!(settings.retain_events_ms, 172_800_000);
        assert_eq!(settings.retain_logs_ms, 86_400_000);
        assert_eq!(settings.retain_done_ms, Some(7_776_000_000));
        let expected = ["https://a.example", "https://b.example"].map(|text| text.parse().unwrap());
        assert_eq!(settings.cors_origins, expected);
    }

    #[test]
    fn the_log_can_be_made_quieter_but_not_silent() {
        let level = |text: &str| log_level(|_| Some(text.to_owned()));
        assert_eq!(log_level(|_| None), Ok(Level::INFO));
        assert_eq!(level("warn"), Ok(Level::WARN));
        assert!(level("off").unwrap_err().contains("OCTOPOID_LOG"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (name, value) in [
            ("OCTOPOID_AUTH", "Open"),
            ("OCTOPOID_LEASE_GRACE", "soon"),
            ("OCTOPOID_LEASE_GRACE", "-1s"),
            ("OCTOPOID_RETAIN_EVENTS", "0s"),
            ("OCTOPOID_RETAIN_EVENTS", "-1h"),
            ("OCTOPOID_RETAIN_LOGS", "-1s"),
            ("OCTOPOID_RETAIN_DONE", "0s"),
            ("OCTOPOID_WEBHOOK_ALLOW_PRIVATE", "yes"),
            ("OCTOPOID_CORS_ORIGIN", "https://a.example, *"),
        ] {
            assert!(read(&[(name, value)]).unwrap_err().contains(name), "{name}={value}");
        }
    }
}
