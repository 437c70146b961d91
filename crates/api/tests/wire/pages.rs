//! Which web pages may call: a browser tells where a request comes from.

use octopoid_api::{AuthMode, Settings};
use serde_json::json;

use crate::{
    common::{ADMIN, Answer, TestApp},
    values, with_headers,
};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const LIST: &str = "/api/v1/tasks?scope=s";
const BOARD: &str = "https://board.example";
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-site");
const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");

#[track_caller]
fn assert_foreign(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 403, "{what}: {}", answer.text);
    assert_eq!(answer.json()["code"], "foreign_origin", "{what}");
    assert!(answer.error(403).contains("--cors-origin"), "{what}");
    assert!(answer.headers.get(ALLOW_ORIGIN).is_none(), "{what}");
}

/// An app with an administrator that lists one origin.
async fn listing(auth: AuthMode) -> TestApp {
    let admin_key_hash = Some(octopoid_api::auth::hash(ADMIN));
    let cors_origins = vec!["https://Board.example:443".parse().unwrap()];
    TestApp::with(Settings { auth, admin_key_hash, cors_origins, ..Settings::default() }).await
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_whatever_its_browser_tells() {
    let app = TestApp::new().await;
    for headers in [
        &[EVIL][..],
        &[EVIL, CROSS],
        &[EVIL, ("sec-fetch-site", "same-origin")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", "file://")],
        &[CROSS],
        &[CROSS, NAVIGATE],
        // Another port of this machine, whose pages need not be anybody's friends.
        &[SAME_SITE],
        &[SAME_SITE, NAVIGATE],
        &[("sec-fetch-site", "Cross-Site")],
        &[("sec-fetch-site", "same-origin"), CROSS],
        &[("host", "localhost:8787"), ("origin", "http://localhost:3000"), SAME_SITE],
        &[("host", "localhost:8787"), ("origin", "http://127.0.0.1:8787"), SAME_SITE],
        &[("host", "localhost"), ("origin", "http://localhost.evil.example")],
        &[("host", "localhost"), ("origin", "http://evil@localhost")],
        &[("host", "localhost"), ("origin", "ftp://localhost")],
        &[("host", "localhost"), ("origin", "http://localhost"), EVIL],
        &[("host", "localhost"), ("host", "other"), ("origin", "http://localhost")],
        &[("host", "localhost"), ("origin", "http://localhost"), CROSS],
    ] {
        for (method, path) in [
            ("GET", LIST),
            ("POST", "/api/v1/tasks"),
            ("DELETE", "/api/v1/tasks/a"),
            ("GET", "/api/health"),
            ("GET", "/nothing"),
            ("OPTIONS", LIST),
        ] {
            let answer = with_headers(&app, method, path, headers).await;
            assert_foreign(&answer, &format!("{method} {path} with {headers:?}"));
        }
    }
    assert_eq!(app.app.refusals.origins.total(), 20 * 6);
}

#[tokio::test]
async fn the_servers_own_pages_and_programs_are_answered() {
    let app = TestApp::new().await;
    for headers in [
        &[][..],
        &[("host", "localhost:8787")],
        &[("sec-fetch-site", "none"), NAVIGATE],
        &[("sec-fetch-site", "same-origin")],
        &[("host", "localhost:8787"), ("origin", "http://localhost:8787")],
        &[("host", "LocalHost.:8787"), ("origin", "http://localhost:8787")],
        &[("host", "[::1]:8787"), ("origin", "http://[::1]:8787")],
        &[("host", "localhost"), ("origin", "http://localhost")],
        // Behind a proxy with TLS.
        &[("host", "octo.example"), ("origin", "https://octo.example")],
        &[("host", "octo.example:443"), ("origin", "https://octo.example")],
    ] {
        let answer = with_headers(&app, "GET", LIST, headers).await;
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text);
        assert_eq!(values(&answer, "vary"), ["Origin"], "{headers:?}");
    }
    // As the contract says it of every answer. To a browser, it says nothing here.
    assert_eq!(values(&app.get(LIST).await, ALLOW_ORIGIN), ["*"]);
    let answer = with_headers(&app, "OPTIONS", LIST, &[]).await;
    assert_eq!((answer.status.as_u16(), values(&answer, ALLOW_ORIGIN)), (204, vec!["*"]));
}

#[tokio::test]
async fn a_page_with_a_key_is_answered_if_no_origins_are_listed() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = TestApp::guarded(mode).await;
        let holder = app.holder("s").await;
        let allowed = if mode == AuthMode::Open { EVIL.1 } else { "*" };
        let answer = with_headers(&holder, "GET", LIST, &[EVIL, CROSS]).await;
        assert_eq!((answer.status.as_u16(), values(&answer, ALLOW_ORIGIN)), (200, vec![allowed]));
        // It may read that its key is wrong, and nothing else.
        let answer = with_headers(&app.holding("oct_1"), "GET", LIST, &[EVIL, CROSS]).await;
        assert_eq!((answer.status.as_u16(), values(&answer, ALLOW_ORIGIN)), (401, vec![allowed]));
    }
}

#[tokio::test]
async fn a_key_is_none_where_nobody_looks_at_it() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let holder = app.holder("s").await;
    let asks = [EVIL, ("access-control-request-headers", "authorization")];
    for path in ["/api/health", "/", "/openapi.json"] {
        assert_foreign(&with_headers(&holder, "GET", path, &[EVIL, CROSS]).await, path);
        assert_foreign(&with_headers(&app, "OPTIONS", path, &asks).await, path);
    }
    let headers = [EVIL, ("authorization", ""), ("authorization", "Bearer oct_1")];
    assert_foreign(&with_headers(&app, "GET", LIST, &headers).await, "an empty header");
}

#[tokio::test]
async fn a_preflight_grants_what_the_request_will_be_allowed() {
    let app = TestApp::new().await;
    for (asked, is_granted) in [
        ("authorization", true),
        ("content-type, Authorization", true),
        ("content-type", false),
        ("x-authorization", false),
        ("", false),
    ] {
        let headers = [EVIL, CROSS, ("access-control-request-headers", asked)];
        let answer = with_headers(&app, "OPTIONS", LIST, &headers).await;
        if is_granted {
            assert_eq!(answer.status, 204, "{asked}: {}", answer.text);
            assert_eq!(values(&answer, ALLOW_ORIGIN), [EVIL.1], "{asked}");
        } else {
            assert_foreign(&answer, asked);
            assert!(answer.headers.get("access-control-allow-methods").is_none(), "{asked}");
            assert!(answer.headers.get("access-control-allow-headers").is_none(), "{asked}");
        }
    }
}

#[tokio::test]
async fn with_a_list_of_origins_others_are_refused_with_a_key_or_without() {
    for mode in [AuthMode::Open, AuthMode::Required] {
        let app = listing(mode).await;
        let holder = app.holder("s").await;
        let board = ("origin", BOARD);
        let asks = ("access-control-request-headers", "authorization");
        for path in [LIST, "/livez", "/api/health"] {
            for headers in [&[EVIL][..], &[CROSS], &[SAME_SITE], &[board, EVIL], &[EVIL, board]] {
                assert_foreign(&with_headers(&holder, "GET", path, headers).await, path);
                assert_foreign(&with_headers(&app, "GET", path, headers).await, path);
            }
            assert_foreign(&with_headers(&app, "OPTIONS", path, &[EVIL, asks]).await, path);
            let answer = with_headers(&holder, "GET", path, &[board, CROSS]).await;
            assert_eq!((answer.status.as_u16(), values(&answer, ALLOW_ORIGIN)), (200, vec![BOARD]));
            let answer = with_headers(&app, "OPTIONS", path, &[board, CROSS, asks]).await;
            assert_eq!((answer.status.as_u16(), values(&answer, ALLOW_ORIGIN)), (204, vec![BOARD]));
            // The server's own pages, and programs.
            let own = [("host", "octo.example"), ("origin", "https://octo.example")];
            assert_eq!(with_headers(&holder, "GET", path, &own).await.status, 200, "{path}");
            assert_eq!(holder.get(path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn whoever_follows_a_link_to_a_page_is_shown_it() {
    let app = TestApp::new().await;
    let document = ("sec-fetch-dest", "document");
    let html = ("accept", "text/html");
    for path in ["/", "/docs", "/openapi.json", "/tasks/a?scope=s", "/inbox", "/login"] {
        for headers in
            [&[CROSS, NAVIGATE][..], &[CROSS, NAVIGATE, document], &[SAME_SITE, NAVIGATE]]
        {
            let answer = with_headers(&app, "GET", path, &[headers, &[html]].concat()).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
        for headers in [
            &[CROSS][..],
            &[CROSS, ("sec-fetch-mode", "no-cors")],
            &[CROSS, NAVIGATE, ("sec-fetch-dest", "iframe")],
            &[CROSS, NAVIGATE, document, EVIL],
        ] {
            assert_foreign(&with_headers(&app, "GET", path, headers).await, path);
        }
        assert_foreign(&with_headers(&app, "POST", path, &[CROSS, NAVIGATE]).await, path);
    }
    for path in [LIST, "/api/v1/tasks/a", "/api/health", "/livez", "/nothing", "/tasks/a/b"] {
        assert_foreign(&with_headers(&app, "GET", path, &[CROSS, NAVIGATE, document]).await, path);
    }
}

#[tokio::test]
async fn a_page_changes_nothing() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.claim(json!({})).await.expect(200);
    let machine = r#"{"cluster":"c","machine_id":"m","repo_url":"u","scope":"s"}"#;
    let task = r#"{"id":"e","file_path":"e","branch":"main","scope":"s"}"#;
    let before = app.get("/api/v1/tasks/a").await.text;
    for (path, body) in [
        ("/api/v1/tasks", task),
        ("/api/v1/tasks/a/requeue", ""),
        ("/api/v1/orchestrators/register", machine),
    ] {
        let request = axum::http::Request::post(path)
            .header("content-type", "text/plain")
            .header("origin", "https://evil.example")
            .body(body.into());
        assert_foreign(&app.send(request.unwrap()).await, path);
    }
    assert_eq!(app.get("/api/v1/tasks/a").await.text, before);
    assert_eq!(app.get(LIST).await.expect(200)["total"], 1);
    let machines = app.get("/api/v1/orchestrators").await.expect(200);
    assert_eq!(machines["orchestrators"], json!([]));
}
