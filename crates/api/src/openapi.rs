//! The OpenAPI document, made from the handlers, and a page to read it.

use std::{collections::BTreeMap, sync::OnceLock};

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        Content, RefOr, Response as Described,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{json::Json, problem};

/// The head of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Octopoid server",
        description = "Hands out work to fleets of coding agents: tasks with leases, reviews, \
                       flows, projects, drafts, messages and approvals.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(problem::Body)),
    modifiers(&Security),
    tags(
        (name = "tasks", description = "The queue: create, claim, submit, review."),
        (name = "orchestrators", description = "The machines that run agents."),
        (name = "projects", description = "Groups of tasks that share a branch."),
        (name = "drafts", description = "Ideas that may become tasks or projects."),
        (name = "messages", description = "What actors tell each other about a task."),
        (name = "actions", description = "Proposals that somebody must approve."),
        (name = "flows", description = "Which states tasks may be in, and which steps lead on."),
        (name = "roles", description = "What agents there are, and where they claim from."),
        (name = "scheduler", description = "What a scheduler asks every few seconds."),
        (name = "admin", description = "For the holder of the administrator's token."),
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
        // A key may be presented everywhere, and is needed nowhere by default.
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
            ("401", "A key is needed, or the one presented is not valid."),
            ("403", "The key belongs to another scope, or the web page that asks may not."),
            ("404", "There is no such thing, or not for this caller."),
            ("409", "It exists already, or is in a state that does not allow this."),
            ("413", "The body is too large."),
            ("415", "The body is compressed, or encoded otherwise."),
            (
                "503",
                "The server cannot do this now; `code` says why and whether anything was done.",
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
        let (_, document) = crate::routes().split_for_parts();
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

/// The page's style. It is no part of the page, so that the page's policy allows nothing inline.
pub(crate) async fn get_style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("docs.css")).into_response()
}

/// The page's script.
pub(crate) async fn get_script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("docs.js")).into_response()
}

/// A JSON answer. Written here so that handlers need one import.
pub(crate) type Answer<T> = Result<Json<T>, problem::Problem>;
