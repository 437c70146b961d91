//! The HTTP API of Octopoid: one axum router, the same natively and at the edge.
//!
//! A handler reads the request, calls one operation of the store, and words the answer. It holds no
//! rules and no SQL. Nothing here reads a clock or makes randomness; [`Host`] brings both.

mod access;
mod actions;
mod admin;
pub mod app;
pub mod audit;
pub mod auth;
mod authority;
pub mod body;
mod budget;
mod clock;
mod drafts;
mod etag;
pub mod events;
mod flows;
mod host;
mod idempotency;
pub mod jobs;
mod json;
mod keys;
mod list;
mod listing;
mod login;
mod logs;
mod mcp;
mod messages;
mod middleware;
mod negotiation;
pub mod openapi;
mod orchestrators;
mod pages;
mod pauses;
mod prefer;
pub mod problem;
mod projects;
mod query;
pub mod rate_limit;
pub mod refusals;
mod roles;
mod run_keys;
mod runs;
mod scheduler;
mod scopes;
mod service;
mod summaries;
mod summary;
mod tasks;
mod touches;
pub mod trace;
pub mod unread;
pub mod webhooks;

use axum::{Router, extract::State, middleware::from_fn_with_state};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

pub use app::{App, AuthMode, Settings};
pub use authority::{Authority, AuthorityError, Origin, OriginError};
pub use host::Host;
pub use pages::with_assets;
pub use service::{SERVER_VERSION, WIRE_VERSION};

use crate::problem::Problem;

/// What gathers the operations: a router with the document that describes them, or a router alone. A
/// server needs no document, which takes several MB while it is made.
trait Gather: Sized {
    /// Adds the operations of a path.
    fn routes(self, operations: UtoipaMethodRouter<App>) -> Self;
}

impl Gather for OpenApiRouter<App> {
    fn routes(self, operations: UtoipaMethodRouter<App>) -> Self {
        Self::routes(self, operations)
    }
}

impl Gather for Router<App> {
    fn routes(self, (_, paths, methods): UtoipaMethodRouter<App>) -> Self {
        paths.paths.keys().fold(self, |router, path| router.route(path, methods.clone()))
    }
}

/// Gathers all operations, in the order of the document.
fn gather<G: Gather>(operations: G) -> G {
    let operations = operations
        .routes(routes!(service::get_info))
        .routes(routes!(service::get_health))
        .routes(routes!(service::get_livez))
        .routes(routes!(service::get_readyz))
        .routes(routes!(tasks::list::list_tasks, tasks::create::create_task))
        .routes(routes!(tasks::claim::claim_task))
        .routes(routes!(
            tasks::get::get_task,
            tasks::update::update_task,
            tasks::delete::delete_task
        ))
        .routes(routes!(tasks::submit::submit_task))
        .routes(routes!(tasks::renew::renew_task))
        .routes(routes!(tasks::fail::fail_task))
        .routes(routes!(tasks::cancel::cancel_task))
        .routes(routes!(tasks::retry::retry_task))
        .routes(routes!(tasks::accept::accept_task))
        .routes(routes!(tasks::reject::reject_task))
        .routes(routes!(tasks::requeue::requeue_task))
        .routes(routes!(tasks::force_queue::force_queue_task))
        .routes(routes!(tasks::hooks::complete_hook))
        .routes(routes!(tasks::history::list_task_history))
        .routes(routes!(runs::list_task_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(logs::append_log))
        .routes(routes!(logs::read_log))
        .routes(routes!(runs::list_runs))
        .routes(routes!(tasks::why::explain_task))
        .routes(routes!(summary::get_summary))
        .routes(routes!(pauses::list_pauses))
        .routes(routes!(pauses::put_pause, pauses::delete_pause));
    webhook_routes(operations)
        .routes(routes!(events::list_events))
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::get_project, projects::update_project, projects::delete_project))
        .routes(routes!(projects::list_project_tasks))
        .routes(routes!(drafts::list_drafts, drafts::create_draft))
        .routes(routes!(drafts::get_draft, drafts::update_draft, drafts::delete_draft))
        .routes(routes!(drafts::promote_draft))
        .routes(routes!(messages::list_messages, messages::create_message))
        .routes(routes!(messages::list_task_messages))
        .routes(routes!(actions::list_actions, actions::create_action))
        .routes(routes!(actions::update_action))
        .routes(routes!(actions::execute_action))
        .routes(routes!(actions::complete_action))
        .routes(routes!(actions::fail_action))
        .routes(routes!(orchestrators::list::list_orchestrators))
        .routes(routes!(orchestrators::register::register_orchestrator))
        .routes(routes!(
            orchestrators::get::get_orchestrator,
            orchestrators::update::update_orchestrator
        ))
        .routes(routes!(orchestrators::heartbeat::note_heartbeat))
        .routes(routes!(orchestrators::rotate_key::rotate_key))
        .routes(routes!(roles::list_roles))
        .routes(routes!(roles::register_roles))
        .routes(routes!(roles::get_role))
        .routes(routes!(flows::list_flows))
        .routes(routes!(flows::get_flow, flows::put_flow, flows::delete_flow))
        .routes(routes!(scheduler::poll))
        .routes(routes!(scopes::list_scopes))
        .routes(routes!(admin::keys::list_keys, admin::keys::issue_key))
        .routes(routes!(admin::keys::revoke_key))
        .routes(routes!(login::sign_in))
        .routes(routes!(admin::jobs::run_jobs))
}

/// Those about webhooks.
fn webhook_routes<G: Gather>(operations: G) -> G {
    operations
        .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
        .routes(routes!(webhooks::get_webhook, webhooks::update_webhook, webhooks::delete_webhook))
        .routes(routes!(webhooks::test_webhook))
        .routes(routes!(webhooks::rotate_webhook_secret))
        .routes(routes!(webhooks::list_webhook_deliveries))
}

/// The whole API, and the board without the files that its page loads, see [`with_assets`].
pub fn router(app: App) -> Router {
    router_with(app, |routes| routes)
}

/// The whole API, and what the host of the API adds to it: further routes, or another fallback than
/// the 404 of the API. Host names, origins and the memory budget are checked for them too; keys are
/// checked under `/api/v1` only, where such routes are open to the administrator only.
pub fn router_with(app: App, mount: impl FnOnce(Router<App>) -> Router<App>) -> Router {
    let check = from_fn_with_state(app.clone(), access::check);
    let called_by_tools = operations().route_layer(check).with_state(app.clone());
    let router = pages::add(operations())
        .route(mcp::PATH, mcp::endpoint(called_by_tools))
        .fallback(no_endpoint);
    mount(router)
        .route_layer(from_fn_with_state(app.clone(), access::check))
        // Behind the check, which would otherwise run for methods that no route has.
        .method_not_allowed_fallback(no_endpoint)
        .layer(from_fn_with_state(app.clone(), middleware::run))
        .with_state(app)
}

/// The operations, at their paths.
fn operations() -> Router<App> {
    gather(Router::new())
        .route("/api/v1/tasks/claim", tasks::called_claim())
        .route("/api/v1/roles/register", roles::called_register())
}

async fn no_endpoint(State(app): State<App>) -> Problem {
    Problem::no_endpoint(app.now().to_iso())
}
