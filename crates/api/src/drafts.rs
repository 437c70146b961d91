//! Ideas that may become tasks or projects.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{StatusCode, request::Parts},
};
use octopoid_domain::draft::{Draft, DraftPatch, NewDraft, Promoted, Promotion, parse_id};
use octopoid_store::drafts::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::{self, Body},
    idempotency::{Attempt, Keyed, Outcome},
    json::Json,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    problem::Problem,
    query::{Params, Segment},
};

/// A page of the list of drafts.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftList {
    drafts: Vec<Draft>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(DraftList, drafts: Draft);

/// The deleted object.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedDraft {
    message: String,
}

/// The number of a draft in the path. Read before the body, so that a wrong one is said first.
pub(crate) struct DraftId(i64);

impl<S: Send + Sync> FromRequestParts<S> for DraftId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Segment(id) = Segment::from_request_parts(parts, state).await?;
        Ok(Self(parse_id(&id)?))
    }
}

/// The body that promotes a draft.
pub(crate) struct PromotionBody(Promotion);

impl FromRequest<App> for PromotionBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        Ok(Self(Promotion::parse(&body::read(request, app).await?)?))
    }
}

/// Create a draft.
#[utoipa::path(post, path = "/api/v1/drafts", tag = "drafts", request_body = NewDraft,
    params(Keyed<()>),
    responses((status = 201, body = Draft), Problems))]
pub(crate) async fn create_draft(
    State(app): State<App>,
    caller: Caller,
    Keyed(key, Body(new)): Keyed<Body<NewDraft>>,
) -> Outcome<Json<Draft>> {
    let stamp = app.stamp();
    let within = caller.within();
    let new = new.into_draft(within, stamp.now)?;
    let attempt = Attempt::new(&app, key, new.scope.as_deref(), StatusCode::CREATED);
    let created = attempt.store.create_draft(new, stamp).await;
    let store = &app.store;
    let done = attempt
        .end(created, |was| async move { store.draft_created_before(&was, within).await })
        .await?;
    Ok(done.noted(|draft| note("draft.created", &caller, draft)).map(Json))
}

/// List drafts.
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/drafts", tag = "drafts",
    params(
        ("scope" = Option<String>, Query, description = "Default: the key's scope; without a key, all scopes."),
        ("status" = Option<String>, Query, description = "One or more values, separated by commas."),
        ("author" = Option<String>, Query, description = "Written by this person or agent."),
        ("domain" = Option<String>, Query, description = "About this part of the work."),
        ("linked_task_id" = Option<String>, Query, description = "Linked to this task."),
        ("linked_project_id" = Option<String>, Query, description = "Linked to this project."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = DraftList), Problems))]
pub(crate) async fn list_drafts(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<DraftList> {
    let filter = Filter {
        scope: caller.scope(query.get("scope")).map(str::to_owned),
        statuses: query.list("status")?,
        author: query.text("author"),
        domain: query.text("domain"),
        linked_task_id: query.text("linked_task_id"),
        linked_project_id: query.text("linked_project_id"),
    };
    let page = query.page()?;
    let listed = app.store.list_drafts(&filter, &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    Ok(query.answer(DraftList { drafts: listed.items, paging }, next.as_deref()))
}

/// Get a draft.
#[utoipa::path(get, path = "/api/v1/drafts/{id}", tag = "drafts",
    params(
        ("id" = i64, Path, description = "The draft."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = Draft), Problems))]
pub(crate) async fn get_draft(
    State(app): State<App>,
    caller: Caller,
    DraftId(id): DraftId,
    params: Params,
) -> Answer<Draft> {
    Ok(Json(app.store.get_draft(id, caller.scope(params.get("scope"))).await?))
}

/// Change fields of a draft.
///
/// Absent fields keep their value; `null` clears a field.
#[utoipa::path(patch, path = "/api/v1/drafts/{id}", tag = "drafts", request_body = DraftPatch,
    params(("id" = i64, Path, description = "The draft.")),
    responses((status = 200, body = Draft), Problems))]
pub(crate) async fn update_draft(
    State(app): State<App>,
    caller: Caller,
    DraftId(id): DraftId,
    Body(patch): Body<DraftPatch>,
) -> Answer<Draft> {
    let draft = app.store.update_draft(id, caller.within(), patch, app.stamp()).await?;
    note("draft.updated", &caller, &draft);
    Ok(Json(draft))
}

/// Delete a draft.
///
/// The task or project created from it is kept. Its number is never used again.
#[utoipa::path(delete, path = "/api/v1/drafts/{id}", tag = "drafts",
    params(("id" = i64, Path, description = "The draft.")),
    responses((status = 200, body = DeletedDraft), Problems))]
pub(crate) async fn delete_draft(
    State(app): State<App>,
    caller: Caller,
    DraftId(id): DraftId,
) -> Answer<DeletedDraft> {
    app.store.delete_draft(id, caller.within(), app.stamp()).await?;
    audit::other("draft.deleted", &caller, &id.to_string(), caller.within());
    Ok(Json(DeletedDraft { message: format!("Draft {id} deleted") }))
}

/// Promote a draft to a task or a project.
///
/// Creates the task or project, links the draft to it and sets the draft's status to `approved`, in
/// one step. Scope, title and a task's content default to those of the draft. The response is 409
/// if the draft is already linked to a task or a project, or if the id or path is taken.
#[utoipa::path(post, path = "/api/v1/drafts/{id}/promote", tag = "drafts",
    request_body = Promotion,
    params(("id" = i64, Path, description = "The draft."), Keyed<()>),
    responses((status = 201, body = Promoted), Problems))]
pub(crate) async fn promote_draft(
    State(app): State<App>,
    caller: Caller,
    DraftId(id): DraftId,
    Keyed(key, PromotionBody(promotion)): Keyed<PromotionBody>,
) -> Outcome<Json<Promoted>> {
    let within = caller.within();
    let scope = promotion.scope().map(ToOwned::to_owned);
    let attempt = Attempt::new(&app, key, caller.scope(scope.as_deref()), StatusCode::CREATED);
    let promoted = attempt.store.promote_draft(id, within, promotion, app.stamp()).await;
    let store = &app.store;
    let done = attempt
        .end(promoted, |was| async move { store.promoted_before(&was, within).await })
        .await?;
    Ok(done.noted(|promoted| note_promoted(&caller, promoted)).map(Json))
}

fn note_promoted(caller: &Caller, promoted: &Promoted) {
    note("draft.promoted", caller, &promoted.draft);
    if let Some(task) = &promoted.task {
        audit::task("task.created", caller, None, task);
    }
    if let Some(project) = &promoted.project {
        audit::other("project.created", caller, &project.id, project.scope.as_deref());
    }
}

fn note(event: &'static str, caller: &Caller, draft: &Draft) {
    audit::other(event, caller, &draft.id.to_string(), draft.scope.as_deref());
}
