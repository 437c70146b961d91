//! Posts messages, and only to addresses that are allowed.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use octopoid_api::{
    Host as _, SERVER_VERSION,
    webhooks::{Courier, Request},
};
use octopoid_domain::{
    causes::innermost,
    webhook::{
        Attempt, Rules,
        attempt::{ATTEMPT_MS_MAX, retry_after_seconds},
        endpoint::{check_url, inside},
    },
};
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::RETRY_AFTER,
    redirect::Policy,
};

use crate::host::System;

/// Posts messages.
pub(super) struct Http {
    rules: Rules,
    /// Made with the first message: until then, no certificates are read.
    client: OnceLock<Result<Client, String>>,
}

impl Http {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, client: OnceLock::new() }
    }

    async fn send(&self, request: Request) -> Result<Response, String> {
        // The administrator may have allowed less since the webhook was created.
        let url = check_url(&request.url, self.rules).map_err(|refusal| refusal.to_string())?;
        let client = self.client.get_or_init(|| client(self.rules)).as_ref()?;
        let mut post = client.post(url).body(request.body);
        for (name, value) in request.headers {
            post = post.header(name, value);
        }
        post.send().await.map_err(|error| cause(&error))
    }
}

impl Courier for Http {
    async fn post(&self, request: Request) -> Attempt {
        let began = System.elapsed_ms();
        let sent = self.send(request).await;
        let duration_ms = System.elapsed_ms() - began;
        match sent {
            // The body is not read: it could be endless, and nothing uses it.
            Ok(response) => Attempt {
                status: Some(response.status().as_u16().into()),
                error: None,
                retry_after_seconds: retry_after(&response),
                duration_ms,
            },
            Err(error) => Attempt::failed(error, duration_ms),
        }
    }
}

/// A scheme for which the client reads the certificates of the system.
const HTTPS: &str = "https:";

/// A client that resolves names by itself, connects to what it has checked, and keeps no connection:
/// the address is checked again for each message. A proxy would resolve names without checking them.
fn client(rules: Rules) -> Result<Client, String> {
    octopoid_client::http(HTTPS)
        .dns_resolver(Arc::new(Checked(rules)))
        .redirect(Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_millis(ATTEMPT_MS_MAX.unsigned_abs()))
        .user_agent(format!("Octopoid/{SERVER_VERSION}"))
        .build()
        .map_err(|error| cause(&error))
}

/// Resolves names to addresses that are allowed.
struct Checked(Rules);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(name.as_str(), found.collect(), rules)?)
        })
    }
}

fn allowed(name: &str, found: Vec<SocketAddr>, rules: Rules) -> Result<Addrs, String> {
    let is_allowed = |address: &SocketAddr| rules.allows_private || inside(address.ip()).is_none();
    let (allowed, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(is_allowed);
    match refused.first().filter(|_| allowed.is_empty()).and_then(|one| inside(one.ip())) {
        Some(class) => Err(format!(
            "The address of {name} is {class}, which the administrator can allow with \
             --webhook-allow-private"
        )),
        None => Ok(Box::new(allowed.into_iter())),
    }
}

/// The seconds after which a receiver wants the next attempt.
fn retry_after(response: &Response) -> Option<i64> {
    retry_after_seconds(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// The innermost cause, which says most. The outer ones repeat the URL, which may have a token.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "There was no response within ten seconds".to_owned();
    }
    innermost(error)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use octopoid_api::webhooks::{Courier as _, Request};
    use octopoid_domain::webhook::Rules;

    use super::{Http, allowed};

    fn to(url: &str) -> Request {
        Request { url: url.to_owned(), headers: Vec::new(), body: String::new() }
    }

    #[test]
    fn of_the_addresses_of_a_name_those_outside_are_left() {
        let addresses: Vec<SocketAddr> =
            ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"].map(|text| text.parse().unwrap()).into();
        let strict = Rules { allows_private: false, allows_http: true };
        let left: Vec<_> = allowed("a", addresses.clone(), strict).unwrap().collect();
        assert_eq!(left, [addresses[1]]);
        let loose = Rules { allows_private: true, ..strict };
        assert_eq!(allowed("a", addresses.clone(), loose).unwrap().count(), 3);
        let Err(text) = allowed("a", vec![addresses[2]], strict) else { panic!("it is allowed") };
        assert!(text.starts_with("The address of a is loopback"), "{text}");
    }

    /// The test knows no name of an address inside but this one, which its text tells already.
    #[tokio::test]
    async fn a_name_is_checked_when_it_is_resolved() {
        let rules = Rules { allows_private: false, allows_http: true };
        let client = super::client(rules).unwrap();
        let error = client.post("http://localhost:9/").send().await.unwrap_err();
        assert!(super::cause(&error).contains("is loopback"), "{error:?}");
    }

    #[tokio::test]
    async fn an_address_that_is_not_allowed_any_more_is_not_called() {
        let http = Http::new(Rules { allows_private: false, allows_http: true });
        let attempt = http.post(to("http://127.0.0.1:9/")).await;
        assert!(attempt.error.unwrap().starts_with("url must not lead inside"));
    }

    #[tokio::test]
    async fn a_receiver_that_is_not_there_is_a_failure() {
        let http = Http::new(Rules { allows_private: true, allows_http: true });
        let attempt = http.post(to("http://127.0.0.1:1/?token=secret")).await;
        let error = attempt.error.unwrap();
        assert!(error.contains("refused") && !error.contains("secret"), "{error}");
    }
}
