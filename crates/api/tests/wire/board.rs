//! The board: who gets its page, and how its files are served.

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use octopoid_api::AuthMode;

use crate::{assert_no_endpoint, common::TestApp, values, with_headers};

/// What Firefox sends when it opens an address.
const BROWSER: (&str, &str) =
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const VIEWS: [&str; 16] = [
    "/tasks",
    "/tasks/4f1c2a9b?tab=diff",
    "/tasks/a%2Fb%20%C3%BC",
    "/fleet",
    "/fleet/home-laptop",
    "/inbox",
    "/inbox/act-1",
    "/activity",
    "/activity/e1?at=0",
    "/flows",
    "/flows/default",
    "/projects",
    "/projects/p",
    "/drafts?scope=s",
    "/drafts/3",
    "/login",
];

async fn native() -> TestApp {
    TestApp::guarded(AuthMode::Required).await.mounting(octopoid_api::with_assets)
}

#[tokio::test]
async fn a_browser_gets_the_page_without_a_key() {
    let app = native().await;
    for path in ["/", "/?scope=s"].into_iter().chain(VIEWS) {
        for method in ["GET", "HEAD"] {
            let answer = with_headers(&app, method, path, &[BROWSER]).await;
            assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
            let page = if method == "GET" { octopoid_board::PAGE } else { "" };
            assert_eq!(answer.text, page, "{method} {path}");
            assert_eq!(values(&answer, "content-type"), ["text/html; charset=utf-8"], "{path}");
            assert_eq!(values(&answer, "cache-control"), ["no-cache"], "{path}");
            assert_eq!(values(&answer, "vary"), ["Accept"], "{path}");
            let [policy] = values(&answer, "content-security-policy")[..] else {
                panic!("no policy on {path}");
            };
            assert!(policy.contains("require-trusted-types-for 'script'"), "{path}: {policy}");
            assert_eq!(values(&answer, "cross-origin-opener-policy"), ["same-origin"], "{path}");
        }
    }
}

#[tokio::test]
async fn a_program_gets_no_page() {
    let app = native().await;
    for accept in ["*/*", "application/json", "application/json, text/html", "text/html;q=0, */*"] {
        for path in VIEWS {
            let answer = with_headers(&app, "GET", path, &[("accept", accept)]).await;
            assert_no_endpoint(&answer, path);
            assert_eq!(values(&answer, "vary"), ["Accept"], "{path}");
        }
        let answer = with_headers(&app, "GET", "/", &[("accept", accept)]).await;
        assert_eq!(answer.expect(200), app.get("/").await.expect(200), "{accept}");
        assert_eq!(values(&answer, "vary"), ["Accept"]);
    }
    assert_no_endpoint(&app.get("/tasks").await, "/tasks");
}

#[tokio::test]
async fn what_is_no_path_of_the_board_is_no_endpoint_to_browsers() {
    let app = native().await;
    for path in ["/nothing", "/tasks/", "/tasks/a/b", "/fleet/a/b", "/Tasks", "/index.html"] {
        assert_no_endpoint(&with_headers(&app, "GET", path, &[BROWSER]).await, path);
    }
    for (method, path) in [("POST", "/"), ("POST", "/tasks"), ("DELETE", "/tasks/a")] {
        assert_no_endpoint(&with_headers(&app, method, path, &[BROWSER]).await, path);
    }
}

#[tokio::test]
async fn a_browser_that_has_the_page_is_told_so() {
    let app = native().await;
    let page = with_headers(&app, "GET", "/tasks", &[BROWSER]).await;
    let [tag] = values(&page, "etag")[..] else { panic!("no tag") };
    for path in ["/", "/tasks", "/login"] {
        let known = [BROWSER, ("if-none-match", tag)];
        let answer = with_headers(&app, "GET", path, &known).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (304, ""), "{path}");
        for (name, value) in [("etag", tag), ("cache-control", "no-cache"), ("vary", "Accept")] {
            assert_eq!(values(&answer, name), [value], "{path}");
        }
        let other = [BROWSER, ("if-none-match", "\"other\"")];
        assert_eq!(with_headers(&app, "GET", path, &other).await.status, 200, "{path}");
    }
    // The tag is the page's, and not that of what programs get.
    let answer = with_headers(&app, "GET", "/", &[("if-none-match", tag)]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(values(&answer, "etag"), [""; 0]);
}

#[tokio::test]
async fn files_are_kept_for_ever_and_compressed_for_those_who_take_it() {
    let app = native().await;
    for path in octopoid_board::asset_paths() {
        let asset = octopoid_board::asset(&path).unwrap();
        for (accepted, gzip) in [("gzip, br", asset.gzip), ("br", None), ("gzip;q=0", None)] {
            let request = Request::get(&path).header("accept-encoding", accepted);
            let answer = app.open(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status(), 200, "{path}");
            let value = |name| answer.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value("content-type"), Some(asset.content_type), "{path}");
            assert_eq!(value("content-encoding"), gzip.map(|_| "gzip"), "{path}, {accepted}");
            assert_eq!(value("vary"), Some("Accept-Encoding"), "{path}");
            let kept = "public, max-age=31536000, immutable";
            assert_eq!(value("cache-control"), Some(kept), "{path}");
            assert_eq!(value("x-content-type-options"), Some("nosniff"), "{path}");
            assert!(value("content-security-policy").is_some(), "{path}");
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert!(body == gzip.unwrap_or(asset.content), "{path}, {accepted}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_no_endpoint() {
    let app = native().await;
    for path in ["/assets/", "/assets/nothing.js", "/assets/../index.html", "/assets"] {
        let answer = with_headers(&app, "GET", path, &[BROWSER]).await;
        assert_no_endpoint(&answer, path);
        assert_eq!(values(&answer, "cache-control"), [""; 0], "{path}");
    }
    // A host that serves the files itself.
    let edge = TestApp::new().await;
    for path in octopoid_board::asset_paths() {
        assert_no_endpoint(&edge.get(&path).await, &path);
    }
}
