//! The variables of OpenTelemetry that say whether and where to traces are exported.
//!
//! The SDK reads those of the resource, of sampling, of batches and of headers itself.

use std::{fmt, time::Duration};

use anyhow::{Context as _, bail, ensure};
use axum::http::Uri;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Where a collector on this machine listens.
const ENDPOINT_DEFAULT: &str = "http://localhost:4318";

/// What an endpoint of all signals is followed by.
const PATH: &str = "/v1/traces";

/// How long an export may take if nothing is configured.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where traces are exported to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TracesConfig {
    pub(super) endpoint: Endpoint,
    pub(super) timeout: Duration,
    /// The variable that turned the export on.
    pub(crate) variable: &'static str,
}

/// The URL of a collector. It is shown without what may be secret in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint(pub(super) String);

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(formatter, "{scheme}://{host}{path}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for TracesConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(formatter)
    }
}

impl TracesConfig {
    /// What the environment says; `None` if nothing is exported.
    pub(crate) fn from_environment() -> anyhow::Result<Option<Self>> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        // An empty variable counts as absent, as the specification says.
        let read = |name: &str| {
            variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let of_traces = |traces: &'static str, all: &'static str| {
            read(traces).map(|text| (traces, text)).or_else(|| read(all).map(|text| (all, text)))
        };
        let is_disabled = read("OTEL_SDK_DISABLED");
        if is_disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let exporter = read("OTEL_TRACES_EXPORTER");
        let endpoint = of_traces(TRACES_ENDPOINT, ENDPOINT);
        let (variable, url) = match (exporter.as_deref(), endpoint) {
            (Some("none"), _) | (None, None) => return Ok(None),
            (Some("otlp"), None) => ("OTEL_TRACES_EXPORTER", format!("{ENDPOINT_DEFAULT}{PATH}")),
            (Some("otlp") | None, Some((TRACES_ENDPOINT, url))) => (TRACES_ENDPOINT, url),
            (Some("otlp") | None, Some((variable, base))) => {
                (variable, format!("{}{PATH}", base.trim_end_matches('/')))
            }
            (Some(other), _) => bail!(
                "OTEL_TRACES_EXPORTER={other} is not supported: set otlp to export traces, or none"
            ),
        };
        let protocol =
            of_traces("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        if let Some((name, protocol)) = protocol {
            ensure!(
                protocol == "http/protobuf",
                "{name}={protocol} is not supported: set http/protobuf, and as the endpoint the \
                 collector's port for HTTP, which is usually 4318"
            );
        }
        let timeout = of_traces("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
        let timeout = timeout.map(|(name, text)| {
            let ms = text.parse().ok().filter(|ms| *ms > 0);
            ms.with_context(|| format!("{name} must be a number of milliseconds, at least 1"))
        });
        let timeout = timeout.transpose()?.map_or(TIMEOUT, Duration::from_millis);
        Ok(Some(Self { endpoint: endpoint_of(variable, url)?, timeout, variable }))
    }
}

/// The endpoint that a variable has, if it is a URL to which can be sent.
fn endpoint_of(variable: &str, url: String) -> anyhow::Result<Endpoint> {
    let uri = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    ensure!(
        matches!(scheme, Some("http" | "https")),
        "{variable} must be an http or https URL, such as {ENDPOINT_DEFAULT}"
    );
    Ok(Endpoint(url))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::TracesConfig;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Option<TracesConfig>> {
        TracesConfig::read(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn url(variables: &[(&str, &str)]) -> Option<String> {
        read(variables).unwrap().map(|config| config.endpoint.0)
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/");
    const OF_TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://d/x");

    #[test]
    fn an_endpoint_turns_the_export_on() {
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), None);
        assert_eq!(url(&[ENDPOINT]).as_deref(), Some("http://c:1/v1/traces"));
        assert_eq!(url(&[OF_TRACES]).as_deref(), Some("https://d/x"));
        assert_eq!(url(&[ENDPOINT, OF_TRACES]).as_deref(), Some("https://d/x"));
        let exporter = ("OTEL_TRACES_EXPORTER", "otlp");
        assert_eq!(url(&[exporter]).as_deref(), Some("http://localhost:4318/v1/traces"));
        assert_eq!(url(&[exporter, OF_TRACES]).as_deref(), Some("https://d/x"));
    }

    #[test]
    fn the_export_can_be_turned_off_again() {
        assert_eq!(url(&[ENDPOINT, ("OTEL_SDK_DISABLED", "True")]), None);
        assert!(url(&[ENDPOINT, ("OTEL_SDK_DISABLED", "false")]).is_some());
        assert_eq!(url(&[OF_TRACES, ("OTEL_TRACES_EXPORTER", "none")]), None);
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for (name, value, remedy) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "set http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "set http/protobuf"),
            ("OTEL_TRACES_EXPORTER", "console", "set otlp"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "geheim:4318", "http or https URL"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "http or https URL"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://me:geheim@c", "http or https URL"),
        ] {
            let error = read(&[(name, value), ENDPOINT]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(remedy), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        assert!(url(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).is_some());
        assert_eq!(url(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), None, "nothing is exported");
    }

    #[test]
    fn the_timeout_of_traces_wins() {
        let all = ("OTEL_EXPORTER_OTLP_TIMEOUT", "5");
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "7");
        let timeout = |variables: &[_]| read(variables).unwrap().unwrap().timeout;
        assert_eq!(timeout(&[ENDPOINT]), Duration::from_secs(10));
        assert_eq!(timeout(&[ENDPOINT, all, of_traces]), Duration::from_millis(7));
        assert_eq!(timeout(&[ENDPOINT, all]), Duration::from_millis(5));
    }

    #[test]
    fn secrets_of_an_endpoint_are_not_shown() {
        let url = "https://me:geheim@c.example:8/a/b?key=geheim#geheim";
        let config = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)]).unwrap().unwrap();
        assert_eq!(config.to_string(), "https://c.example:8/a/b");
        assert!(!format!("{config:?}").contains("geheim"));
        let config = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c")]).unwrap().unwrap();
        assert_eq!(config.to_string(), "http://c");
    }
}
