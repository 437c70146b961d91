use octopoid_api::AuthMode;
use serde_json::json;

use crate::{
    assert_no_endpoint,
    common::{ADMIN, TestApp},
    operations, values, with_headers,
};

#[tokio::test]
async fn health_tells_versions_time_and_database() {
    let app = TestApp::new().await;
    for path in ["/api/health", "/api/health?scope=s&x=%zz"] {
        assert_eq!(
            app.get(path).await.expect(200),
            json!({
                "status": "healthy", "version": "2.0.0",
                "server_version": octopoid_api::SERVER_VERSION,
                "timestamp": "2026-11-21T20:58:58.605Z", "database": "connected",
            })
        );
    }
}

#[tokio::test]
async fn the_root_names_every_operation() {
    let info = TestApp::new().await.get("/").await.expect(200);
    assert_eq!((&info["name"], &info["version"]), (&json!("Octopoid Server"), &json!("2.0.0")));
    let named: Vec<_> =
        operations().iter().map(|(method, path, _)| json!(format!("{method} {path}"))).collect();
    assert!(named.len() > 40);
    assert_eq!(info["endpoints"], json!(named));
}

#[tokio::test]
async fn a_process_that_runs_is_alive_and_ready_until_it_is_told_to_stop() {
    let app = TestApp::new().await;
    for path in ["/livez", "/readyz"] {
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "ok"), "{path}");
    }
    app.app.stop_claiming();
    let answer = app.get("/readyz").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "stopping"));
    assert_eq!(app.get("/livez").await.status, 200);
    assert_eq!(app.get("/api/health").await.status, 200);
}

#[tokio::test]
async fn the_document_is_served_as_it_is_generated() {
    let answer = TestApp::new().await.get("/openapi.json").await;
    assert_eq!(values(&answer, "content-type"), ["application/json"]);
    assert_eq!(answer.text, octopoid_api::openapi::document());
    assert!(answer.expect(200)["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_a_summary_and_a_tag() {
    let mut names = Vec::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str();
        names.push(name.unwrap_or_else(|| panic!("no name: {method} {path}")).to_owned());
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[tokio::test]
async fn the_page_needs_nothing_from_the_internet() {
    let answer = TestApp::new().await.get("/docs").await;
    assert_eq!(answer.status, 200);
    assert_eq!(values(&answer, "content-type"), ["text/html; charset=utf-8"]);
    assert!(answer.text.contains("openapi.json"));
    let mut parts = vec![answer.text];
    for (path, kind) in [("/docs.css", "text/css"), ("/docs.js", "text/javascript")] {
        assert!(parts[0].contains(&format!("\"{path}\"")), "{path} is no part of the page");
        let answer = TestApp::new().await.get(path).await;
        assert_eq!(values(&answer, "content-type"), [format!("{kind}; charset=utf-8")]);
        parts.push(answer.text);
    }
    for foreign in ["http://", "https://", "src=\"//", "href=\"//"] {
        assert!(!parts.iter().any(|part| part.contains(foreign)), "{foreign}");
    }
}

#[tokio::test]
async fn a_page_loads_and_does_nothing_but_what_is_its_own() {
    let app = TestApp::new().await;
    for path in ["/", "/docs", "/docs.css", "/docs.js", "/openapi.json"] {
        let answer = app.get(path).await;
        let [policy] = values(&answer, "content-security-policy")[..] else {
            panic!("no policy on {path}");
        };
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(values(&answer, "referrer-policy"), ["no-referrer"], "{path}");
        assert_eq!(values(&answer, "cross-origin-opener-policy"), ["same-origin"], "{path}");
        assert!(values(&answer, "permissions-policy")[0].contains("camera=()"), "{path}");
        // The policy allows nothing that stands in the page itself.
        for inline in ["<style", "<script>", "style=\"", "onclick", "javascript:"] {
            assert!(!answer.text.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn every_answer_is_what_its_content_type_says() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let admin = app.holding(ADMIN);
    admin.task("a", json!({})).await;
    for (answer, status) in [
        (admin.get("/api/v1/tasks/a").await, 200),
        (admin.get("/api/v1/tasks").await, 400),
        (admin.raw("POST", "/api/v1/tasks", "{").await, 400),
        (app.get("/api/v1/tasks/a").await, 401),
        (app.get("/nothing").await, 404),
        (app.get("/docs").await, 200),
        (app.get("/livez").await, 200),
        (app.raw("OPTIONS", "/api/v1/tasks", "").await, 204),
        (app.raw("HEAD", "/docs", "").await, 200),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(values(&answer, "x-content-type-options"), ["nosniff"], "{}", answer.text);
    }
}

#[tokio::test]
async fn paths_match_exactly() {
    let app = TestApp::new().await;
    for path in [
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v2/tasks",
        "/api/v1/nothing",
        "/api/v1/tasks/?scope=s",
        "/api/v1/tasks/a/",
        "/api/v1/tasks/a/nothing",
        "//api/v1/tasks?scope=s",
        "/api//v1/tasks?scope=s",
        "/API/v1/tasks?scope=s",
        "/api/v1/Tasks?scope=s",
        "/api/v1/t%61sks?scope=s",
        "/api/health/",
        "/livez/",
        "/metrics",
        "/.env",
    ] {
        assert_no_endpoint(&app.get(path).await, path);
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_an_unknown_endpoint() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for (method, path) in [
        ("PUT", "/api/v1/tasks"),
        ("DELETE", "/api/v1/tasks"),
        ("PATCH", "/api/v1/tasks"),
        ("POST", "/api/v1/tasks/a"),
        ("PUT", "/api/v1/tasks/a"),
        ("GET", "/api/v1/tasks/a/submit"),
        ("PUT", "/api/v1/tasks/claim"),
        ("POST", "/api/health"),
        ("DELETE", "/"),
        ("POST", "/openapi.json"),
        ("TRACE", "/api/v1/tasks"),
        ("BREW", "/livez"),
    ] {
        assert_no_endpoint(&app.raw(method, path, "{}").await, &format!("{method} {path}"));
    }
}

#[tokio::test]
async fn the_answer_for_an_unknown_endpoint_does_not_repeat_the_request() {
    let answer = TestApp::new().await.get("/api/v1/nothing?token=secret").await;
    assert!(!answer.text.contains("secret"), "{}", answer.text);
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for path in [
        "/",
        "/api/health",
        "/livez",
        "/openapi.json",
        "/docs",
        "/api/v1/tasks?scope=s",
        "/api/v1/tasks/a",
        "/api/v1/tasks/none",
        "/api/v1/tasks",
        "/nothing",
    ] {
        let (get, head) = (app.get(path).await, with_headers(&app, "HEAD", path, &[]).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.headers.get("content-type"), get.headers.get("content-type"), "{path}");
        assert_eq!(head.text, "", "{path}");
    }
}

#[tokio::test]
async fn answers_are_json_without_a_charset() {
    let app = TestApp::new().await;
    app.task("ä", json!({"content": "ü"})).await;
    for (method, path, status) in [
        ("GET", "/api/v1/tasks?scope=s", 200),
        ("GET", "/api/v1/tasks/%C3%A4", 200),
        ("GET", "/api/v1/tasks", 400),
        ("POST", "/api/v1/tasks", 400),
        ("GET", "/api/v1/tasks/none", 404),
        ("GET", "/nothing", 404),
    ] {
        let answer = app.raw(method, path, "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(values(&answer, "content-type"), ["application/json"], "{method} {path}");
    }
    // Text is sent as it is, not escaped.
    let text = app.get("/api/v1/tasks/%C3%A4").await.text;
    assert!(text.contains("\"ä\"") && text.contains("\"ü\""), "{text}");
}

#[tokio::test]
async fn a_host_may_add_routes_and_another_fallback() {
    let app = TestApp::new().await.mounting(|routes| {
        routes.route("/metrics", axum::routing::get(async || "numbers")).fallback(async || "a page")
    });
    assert_eq!(app.get("/metrics").await.text, "numbers");
    assert_eq!(app.get("/somewhere").await.text, "a page");
    assert_eq!(app.get("/livez").await.text, "ok");
    let answer = app.get("/metrics").await;
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "it is completed like others");
    let foreign = with_headers(&app, "GET", "/metrics", &[("origin", "https://evil.example")]);
    assert_eq!(foreign.await.status, 403, "and guarded like others");
}
