//! By which host names the server may be called.

use octopoid_api::Settings;

use crate::{common::TestApp, with_headers};

const LIST: &str = "/api/v1/tasks?scope=s";

async fn local(allowed: &[&str]) -> TestApp {
    let allowed = allowed.iter().map(|host| host.parse().unwrap()).collect();
    TestApp::with(Settings { allowed_hosts: Some(allowed), ..Settings::default() }).await
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_be_this_machines_is_refused() {
    let app = local(&["board.example", "octo.example:8787"]).await;
    for host in [
        "evil.example",
        "evil.example:8787",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "a.board.example",
        "octo.example",
        "octo.example:80",
        "192.168.0.1",
        "0.0.0.0:8787",
        "[::2]:8787",
        "::1",
        "",
    ] {
        for (method, path) in
            [("GET", LIST), ("POST", "/api/v1/tasks"), ("GET", "/docs"), ("OPTIONS", LIST)]
        {
            // What it calls is its own origin, as far as its browser knows.
            let origin = format!("http://{host}");
            let headers = [("host", host), ("origin", &*origin), ("sec-fetch-site", "same-origin")];
            let answer = with_headers(&app, method, path, &headers).await;
            assert_eq!(answer.expect(403)["code"], "unknown_host", "{method} {path} of {host}");
            assert!(answer.error(403).contains("--allowed-host"), "{}", answer.text);
            assert!(answer.headers.get("access-control-allow-origin").is_none(), "{host}");
        }
    }
    assert_eq!(app.app.refusals.hosts.total(), 14 * 4);
}

#[tokio::test]
async fn this_machines_names_and_those_allowed_are_answered() {
    let app = local(&["board.example", "octo.example:8787"]).await;
    for host in [
        "localhost",
        "LOCALHOST:8787",
        "localhost.",
        "127.0.0.1:1",
        "127.8.9.10",
        "[::1]",
        "[::1]:8787",
        "board.example",
        "Board.Example.:99",
        "octo.example:8787",
    ] {
        let answer = with_headers(&app, "GET", LIST, &[("host", host)]).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text);
    }
    // A browser always names a host; HTTP/1.0 does not.
    assert_eq!(app.get(LIST).await.status, 200);
}

#[tokio::test]
async fn every_host_that_a_request_names_counts() {
    let app = local(&[]).await;
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(with_headers(&app, "GET", LIST, &two).await.status, 403);
    for (target, host, status) in [
        ("http://evil.example", "localhost", 403),
        ("http://localhost:8787", "evil.example", 403),
        ("http://x@localhost", "localhost", 403),
        ("http://localhost:8787", "localhost", 200),
    ] {
        let path = format!("{target}{LIST}");
        let answer = with_headers(&app, "GET", &path, &[("host", host)]).await;
        assert_eq!(answer.status, status, "{target} by {host}: {}", answer.text);
    }
}

#[tokio::test]
async fn where_hosts_are_not_looked_at_any_will_do() {
    let app = TestApp::new().await;
    let answer = with_headers(&app, "GET", LIST, &[("host", "octo.example")]).await;
    assert_eq!(answer.status, 200);
}
