//! The OpenAPI document, made from the handlers, and a page to read it.

use std::{collections::BTreeMap, sync::OnceLock};

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use octopoid_domain::TaskView;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        Content, RefOr, Response as Described,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{access, etag::Tagged, json::Json, problem};

/// The head of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Octopoid server",
        description = "Coordinates fleets of coding agents: tasks with leases, reviews, \
                       flows, projects, drafts, messages and approvals.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(problem::Body)),
    modifiers(&Security),
    tags(
        (name = "tasks", description = "The queue: create, claim, submit, review."),
        (name = "events", description = "The journal of all changes."),
        (name = "runs", description = "What happened under each lease, its result and its log."),
        (name = "orchestrators", description = "The machines that run agents."),
        (name = "projects", description = "Groups of tasks that share a branch."),
        (name = "drafts", description = "Drafts of tasks or projects."),
        (name = "messages", description = "Messages between actors about a task."),
        (name = "actions", description = "Proposals that need approval."),
        (name = "flows", description = "The states of tasks and the transitions between them."),
        (name = "roles", description = "The agent roles and the queues they claim from."),
        (name = "pauses", description = "Work that is not handed out for a while."),
        (name = "webhooks", description = "Addresses to which events are sent."),
        (name = "scheduler", description = "Polling for schedulers."),
        (name = "scopes", description = "The tenants."),
        (name = "admin", description = "Keys and jobs."),
        (name = "service", description = "Health and information."),
    )
)]
pub(crate) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", scheme);
        // A key can be sent to every operation, and is optional by default.
        let none = SecurityRequirement::default();
        let key = SecurityRequirement::new("key", Vec::<String>::new());
        document.security = Some(vec![none, key]);
    }
}

/// The answers that any operation may give when it says no.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        [
            ("400", "The request is not acceptable as it stands."),
            ("401", "The key is missing or invalid."),
            (
                "403",
                "The key belongs to another scope, its permission does not suffice, or the \
                 origin is not allowed.",
            ),
            ("404", "The object does not exist, or not in the key's scope."),
            ("409", "The object already exists, or its state does not allow this."),
            ("412", "The task has a version that `If-Match` does not name."),
            ("413", "The body is too large."),
            ("415", "The body is compressed, or encoded otherwise."),
            ("422", "The idempotency key was used with another request."),
            (
                "429",
                "The key, or the address without a valid key, has sent too many requests; \
                 `Retry-After` says when to continue.",
            ),
            (
                "503",
                "Temporarily unavailable; `code` has the cause and whether anything was changed.",
            ),
        ]
        .into_iter()
        .map(|(status, text)| (status.to_owned(), RefOr::T(described(text))))
        .collect()
    }
}

fn described(text: &str) -> Described {
    let reference = RefOr::Ref(utoipa::openapi::Ref::from_schema_name("Problem"));
    let content = RefOr::T(Content::new(Some(reference)));
    let mut response = Described::new(text);
    response.content.insert("application/json".to_owned(), content);
    response
}

static JSON: OnceLock<String> = OnceLock::new();

/// The whole document as JSON text, made once.
pub fn document() -> &'static str {
    JSON.get_or_init(|| {
        let operations = OpenApiRouter::with_openapi(Document::openapi());
        let (_, mut document) = crate::gather(operations).split_for_parts();
        access::describe(&mut document);
        let mut text = document.to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    })
}

/// The document.
pub(crate) async fn get_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

/// The document as a page.
pub(crate) async fn get_page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}

/// The page's style, a separate file, so that the page's policy allows nothing inline.
pub(crate) async fn get_style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("docs.css")).into_response()
}

/// The page's script.
pub(crate) async fn get_script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("docs.js")).into_response()
}

/// An answer that is a task.
pub(crate) type TaskAnswer = Result<Tagged<TaskView>, problem::Problem>;

/// A JSON answer. Written here so that handlers need one import.
pub(crate) type Answer<T> = Result<Json<T>, problem::Problem>;
