//! Traces, as a collector receives them.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use octopoid_domain::Traceparent;
use octopoid_testbed::database::is_postgres;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    load::{claim_by, new_task},
    server::{Disk, PATIENCE, Server, command, eventually, run},
    wire::Connection,
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

/// What a collector receives at once.
#[derive(Clone)]
struct Export {
    path: String,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

/// A collector on a port of its own choice.
struct Collector {
    address: SocketAddr,
    exports: watch::Receiver<Vec<Export>>,
    /// The status that it answers with.
    status: Arc<AtomicU16>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, exports) = watch::channel(Vec::new());
        let (sender, status) = (Arc::new(sender), Arc::new(AtomicU16::new(200)));
        let answered = Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, status) = (Arc::clone(&sender), Arc::clone(&answered));
                let service = service_fn(move |request| {
                    take(request, Arc::clone(&sender), status.load(Ordering::Relaxed))
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, exports, status }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn exports(&self) -> Vec<Export> {
        self.exports.borrow().clone()
    }

    /// Waits until so many exports have come.
    async fn receives(&mut self, count: usize) {
        let received = self.exports.wait_for(|exports| exports.len() >= count);
        tokio::time::timeout(PATIENCE, received).await.expect("exports come").unwrap();
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let decode = |export: &Export| ExportTraceServiceRequest::decode(&*export.bytes).unwrap();
        self.exports().iter().map(decode).collect()
    }

    /// All spans of requests to the API and of their batches.
    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// The only span of this name.
    fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        let [span] = found[..] else { panic!("{name} is not one of {spans:#?}") };
        span.clone()
    }
}

async fn take(
    request: Request<Incoming>,
    sender: Arc<watch::Sender<Vec<Export>>>,
    status: u16,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(Body::new(body), usize::MAX).await.unwrap().to_vec();
    let export = Export { path: parts.uri.path().to_owned(), headers: parts.headers, bytes };
    sender.send_modify(|exports| exports.push(export));
    Ok(Response::builder().status(status).body(Body::empty()).unwrap())
}

/// The value of an attribute as text.
fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn trace() -> Traceparent {
    TRACE.parse().unwrap()
}

/// Asks a server to stop, and waits for its end.
async fn stops(server: Server) -> String {
    server.terminate().await;
    let ended = server.ends(PATIENCE).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
    ended.stdout
}

#[tokio::test]
async fn a_request_is_a_span_and_so_is_each_of_its_batches() {
    let (disk, collector) = (Disk::new().await, Collector::start().await);
    let endpoint = collector.url();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=of-the-collector"),
        ("OTEL_SERVICE_NAME", "fleet"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=test"),
    ];
    let server = disk.serve_with(&[], &variables).await;
    server.client().with_trace(trace()).create_task(&new_task("a")).await.unwrap();
    let printed = stops(server).await;
    assert!(printed.contains(&format!("traces are exported to {endpoint}/v1/traces")), "{printed}");

    let request = collector.span("POST /api/v1/tasks");
    assert_eq!(request.kind(), SpanKind::Server);
    assert_eq!(hex::encode(&request.trace_id), TRACE_ID);
    assert_eq!(hex::encode(&request.parent_span_id), SPAN_ID);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/tasks"),
        ("http.response.status_code", "201"),
        ("url.scheme", "http"),
        ("url.path", "/api/v1/tasks"),
    ] {
        assert_eq!(text(&request.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(text(&request.attributes, "error.type"), None);
    let write = collector.span("write");
    assert_eq!(write.kind(), SpanKind::Client);
    assert_eq!((&write.trace_id, &write.parent_span_id), (&request.trace_id, &request.span_id));
    let system = if is_postgres() { "postgresql" } else { "sqlite" };
    assert_eq!(text(&write.attributes, "db.system.name").as_deref(), Some(system));
    assert_eq!(text(&write.attributes, "db.operation.name").as_deref(), Some("write"));
    let nested = request.start_time_unix_nano <= write.start_time_unix_nano
        && write.end_time_unix_nano <= request.end_time_unix_nano;
    assert!(nested, "{request:?} {write:?}");

    let [export] = &collector.exports()[..] else { panic!("one export, when the server stops") };
    assert_eq!(export.path, "/v1/traces");
    assert_eq!(export.headers["x-token"], "of-the-collector");
    let request = collector.requests().remove(0);
    let resource = request.resource_spans[0].resource.clone().unwrap().attributes;
    assert_eq!(text(&resource, "service.name").as_deref(), Some("fleet"));
    assert_eq!(text(&resource, "deployment.environment.name").as_deref(), Some("test"));
    let version = text(&resource, "service.version");
    assert_eq!(version.as_deref(), Some(octopoid_api::SERVER_VERSION));
}

#[tokio::test]
async fn a_claim_is_linked_to_the_trace_in_which_its_task_was_created() {
    let (disk, collector) = (Disk::new().await, Collector::start().await);
    let endpoint = format!("{}/own", collector.url());
    let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*endpoint)];
    let server = disk.serve_with(&[], &variables).await;
    server.client().with_trace(trace()).create_task(&new_task("a")).await.unwrap();
    let claimed = server.client().claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    assert_eq!(claimed.traceparent.as_deref(), Some(TRACE));
    assert_eq!(server.client().claim_task(&claim_by("agent-2")).await.unwrap(), None);
    stops(server).await;

    let spans = collector.spans();
    let claims: Vec<_> =
        spans.iter().filter(|span| span.name == "POST /api/v1/tasks/claim").collect();
    let [claim, nothing] = claims[..] else { panic!("{spans:#?}") };
    assert_eq!(hex::encode(&claim.parent_span_id), "");
    assert_ne!(hex::encode(&claim.trace_id), TRACE_ID);
    let [link] = &claim.links[..] else { panic!("{claim:#?}") };
    assert_eq!((&*hex::encode(&link.trace_id), &*hex::encode(&link.span_id)), (TRACE_ID, SPAN_ID));
    assert_eq!(nothing.links, []);
    assert_eq!(text(&nothing.attributes, "http.response.status_code").as_deref(), Some("404"));
    assert_eq!(collector.exports()[0].path, "/own");
    let request = collector.requests().remove(0);
    let resource = request.resource_spans[0].resource.clone().unwrap().attributes;
    assert_eq!(text(&resource, "service.name").as_deref(), Some("octopoid"));
}

#[tokio::test]
async fn spans_have_no_secrets_and_no_queries() {
    let (disk, collector) = (Disk::new().await, Collector::start().await);
    let endpoint = collector.url();
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("API_SECRET_KEY", "geheim-of-the-admin")];
    let server = disk.serve_with(&[], &variables).await;
    let client = server.open_client().with_key("geheim-of-the-admin");
    client.list_tasks(&[("search", "geheim-in-query"), ("scope", "s")]).await.unwrap();
    let mut stranger = Connection::open(&server).await;
    stranger.send("BREW /missing?geheim HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(stranger.start(PATIENCE).await.starts_with("HTTP/1.1 404 "));
    drop(stranger);
    stops(server).await;
    let stranger = collector.span("HTTP");
    assert_eq!(text(&stranger.attributes, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(text(&stranger.attributes, "http.route"), None);
    collector.span("GET /api/v1/tasks");
    for export in collector.exports() {
        let readable = String::from_utf8_lossy(&export.bytes).into_owned();
        assert!(readable.contains("http.route") && !readable.contains("geheim"), "{readable}");
    }
}

#[tokio::test]
async fn what_is_turned_off_exports_nothing() {
    let (disk, collector) = (Disk::new().await, Collector::start().await);
    let endpoint = collector.url();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint);
    let off: [&[(&str, &str)]; 3] = [
        &[("OTEL_SERVICE_NAME", "fleet")],
        &[endpoint, ("OTEL_SDK_DISABLED", "true")],
        &[endpoint, ("OTEL_TRACES_EXPORTER", "none")],
    ];
    for variables in off {
        let server = disk.serve_with(&[], variables).await;
        server.client().health().await.unwrap();
        let printed = stops(server).await;
        assert!(!printed.contains("traces are exported"), "{printed}");
    }
    assert!(collector.exports().is_empty());
    let unsampled = [endpoint, ("OTEL_TRACES_SAMPLER", "always_off")];
    let server = disk.serve_with(&[], &unsampled).await;
    server.client().health().await.unwrap();
    assert!(stops(server).await.contains("traces are exported"));
    assert!(collector.exports().is_empty());
}

#[tokio::test]
async fn a_collector_that_fails_is_told_of_once_and_again_when_it_works() {
    let (disk, mut collector) = (Disk::new().await, Collector::start().await);
    collector.status.store(503, Ordering::Relaxed);
    let endpoint = collector.url();
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let mut server = disk.serve_with(&[], &variables).await;
    let client = server.client();
    // Each export is tried four times, so these are of several.
    while collector.exports().len() < 9 {
        client.health().await.unwrap();
        collector.receives(collector.exports().len() + 1).await;
    }
    let failures = |lines: &[String]| {
        lines.iter().filter(|line| line.contains("cannot export traces")).count()
    };
    assert_eq!(failures(&server.printed()), 1);
    collector.status.store(200, Ordering::Relaxed);
    let again = "traces are exported again";
    eventually(again, PATIENCE, async || {
        client.health().await.unwrap();
        server.printed().iter().any(|line| line.contains(again)).then_some(())
    })
    .await;
    server.prints("503 Service Unavailable; until it takes them, spans are dropped").await;
    assert_eq!(failures(&server.printed()), 1);
    stops(server).await;
}

#[tokio::test]
async fn a_collector_that_is_silent_holds_up_neither_requests_nor_the_end() {
    let disk = Disk::new().await;
    // The system accepts connections, and no program answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
    ];
    let server = disk.serve_with(&[], &variables).await;
    let client = server.client();
    client.health().await.unwrap();
    // The export has begun, and will not end.
    let _export = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    for number in 0..50 {
        client.create_task(&new_task(&number.to_string())).await.unwrap();
    }
    server.terminate().await;
    let ended = server.ends(Duration::from_secs(10)).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn what_is_not_supported_is_refused_at_the_start() {
    let disk = Disk::of_file();
    for subcommand in ["serve", "check-config"] {
        let mut command = disk.configure(command());
        command.arg(subcommand).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let ended = run(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")).await;
        assert_eq!(ended.status.code(), Some(1), "{subcommand}");
        let expected = "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: set http/protobuf";
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    let mut command = disk.configure(command());
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:geheim@127.0.0.1:4318/x");
    let ended = run(command.arg("check-config")).await;
    let line = ended.stdout.lines().find(|line| line.starts_with("OTEL_")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    let origin = ["variable", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    assert_eq!(words[1..], [&["http://127.0.0.1:4318/x"], &origin[..]].concat());
}
