use axum::extract::State;
use octopoid_domain::orchestrator::OrchestratorView;
use octopoid_store::orchestrators::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    list::{ListAnswer, ListQuery},
    listing::long_field,
    openapi::Problems,
};

/// So many orchestrators come at once.
const LIMIT_MAX: i64 = 10_000;

/// The list of orchestrators.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrchestratorList {
    orchestrators: Vec<OrchestratorView>,
    /// The number of matching rows; null on a page that starts at a cursor.
    total: Option<i64>,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(OrchestratorList, orchestrators: OrchestratorView);

/// List orchestrators.
///
/// Most recent heartbeat first. If there are more than `limit`, pages are ordered by id, and each
/// page in this order.
#[utoipa::path(get, path = "/api/v1/orchestrators", tag = "orchestrators",
    params(
        ("scope" = Option<String>, Query, description = "Default: the key's scope, or all scopes."),
        ("cluster" = Option<String>, Query, description = "The cluster."),
        ("status" = Option<String>, Query, description = "At most 1,000 values, separated by commas."),
        ("limit" = Option<String>, Query, description = "Maximum and default 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = OrchestratorList), Problems))]
pub(crate) async fn list_orchestrators(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<OrchestratorList> {
    let filter = Filter {
        scope: caller.scope(query.get("scope")).map(str::to_owned),
        cluster: query.text("cluster"),
        statuses: query.list("status")?,
    };
    let listed = app.store.list_orchestrators(&filter, &query.whole(LIMIT_MAX)).await?;
    let next = listed.next_cursor.clone();
    let now = app.now();
    let shown = |orchestrator| OrchestratorView::at(orchestrator, now);
    let body = OrchestratorList {
        orchestrators: listed.items.into_iter().map(shown).collect(),
        total: listed.total,
        next_cursor: listed.next_cursor,
    };
    Ok(query.answer(body, next.as_deref()))
}
