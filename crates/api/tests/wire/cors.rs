use octopoid_api::{AuthMode, Settings};
use serde_json::json;

use crate::{
    common::{ADMIN, TestApp},
    operations, values, with_headers,
};

const METHODS: &str = "GET,HEAD,PUT,POST,DELETE,PATCH";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const PAGE: &str = "https://board.example";

async fn choosy() -> TestApp {
    let cors_origins = vec!["https://other.example".parse().unwrap(), PAGE.parse().unwrap()];
    TestApp::with(Settings { cors_origins, ..Settings::default() }).await
}

#[tokio::test]
async fn pages_of_any_origin_may_read_every_answer() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    admin.task("a", json!({})).await;
    for (answer, status) in [
        (admin.get("/api/v1/tasks/a").await, 200),
        (admin.get("/api/v1/tasks").await, 400),
        (app.get("/api/v1/tasks/a").await, 401),
        (admin.get("/api/v1/tasks/none").await, 404),
        (admin.raw("POST", "/api/v1/tasks", "{").await, 400),
        (app.get("/nothing").await, 404),
        (app.get("/livez").await, 200),
        (app.get("/docs").await, 200),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(values(&answer, ALLOW_ORIGIN), ["*"], "{}", answer.text);
        for absent in [
            "access-control-allow-credentials",
            "access-control-max-age",
            "access-control-expose-headers",
            "vary",
        ] {
            assert!(answer.headers.get(absent).is_none(), "{absent}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_every_path_before_anyone_is_asked_for_a_key() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let paths: Vec<_> = operations().into_iter().map(|(_, path, _)| path).collect();
    for path in paths.iter().map(String::as_str).chain(["/nothing", "/openapi.json"]) {
        for key in ["", "Bearer nonsense"] {
            let headers = [("authorization", key), ("origin", PAGE)];
            let answer = with_headers(&app, "OPTIONS", path, &headers).await;
            assert_eq!(answer.status, 204, "{path}");
            assert_eq!(answer.text, "", "{path}");
            assert_eq!(values(&answer, ALLOW_ORIGIN), ["*"], "{path}");
            assert_eq!(values(&answer, "access-control-allow-methods"), [METHODS], "{path}");
            assert!(answer.headers.get("access-control-allow-headers").is_none(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_preflight_allows_the_headers_it_is_asked_for() {
    let app = TestApp::new().await;
    for (asked, allowed) in [
        ("content-type", "content-type"),
        ("authorization, content-type", "authorization,content-type"),
        ("authorization,x-a ,  x-b", "authorization,x-a,x-b"),
    ] {
        let headers = [("access-control-request-headers", asked)];
        let answer = with_headers(&app, "OPTIONS", "/api/v1/tasks", &headers).await;
        assert_eq!(answer.status, 204);
        assert_eq!(values(&answer, "access-control-allow-headers"), [allowed]);
        assert_eq!(values(&answer, "vary"), ["Access-Control-Request-Headers"]);
    }
}

#[tokio::test]
async fn with_a_list_of_origins_only_those_may_read() {
    let app = choosy().await;
    for method in ["GET", "OPTIONS"] {
        for (origin, allowed) in [
            (PAGE, vec![PAGE]),
            ("https://other.example", vec!["https://other.example"]),
            ("https://evil.example", vec![]),
            ("https://board.example.evil.example", vec![]),
            ("https://board.example:443", vec!["https://board.example:443"]),
            ("HTTPS://BOARD.EXAMPLE", vec!["HTTPS://BOARD.EXAMPLE"]),
            ("https://board.example:8443", vec![]),
            ("http://board.example", vec![]),
            ("null", vec![]),
        ] {
            let answer = with_headers(&app, method, "/livez", &[("origin", origin)]).await;
            assert_eq!(values(&answer, ALLOW_ORIGIN), allowed, "{method} from {origin}");
            assert_eq!(answer.status == 403, allowed.is_empty(), "{method} from {origin}");
            // A cache must not serve one origin's answer to another.
            assert_eq!(values(&answer, "vary"), ["Origin"], "{method} from {origin}");
        }
        let answer = with_headers(&app, method, "/livez", &[]).await;
        assert!(answer.headers.get(ALLOW_ORIGIN).is_none(), "{method} without an origin");
        assert_eq!(values(&answer, "vary"), ["Origin"], "{method} without an origin");
    }
}

#[tokio::test]
async fn with_a_list_of_origins_a_preflight_varies_with_both() {
    let headers = [("origin", PAGE), ("access-control-request-headers", "authorization")];
    let answer = with_headers(&choosy().await, "OPTIONS", "/api/v1/tasks", &headers).await;
    assert_eq!(values(&answer, "access-control-allow-headers"), ["authorization"]);
    assert_eq!(values(&answer, "vary"), ["Access-Control-Request-Headers", "Origin"]);
}
