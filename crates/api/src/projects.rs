//! Groups of tasks that share a branch.

use axum::{extract::State, http::StatusCode};
use octopoid_domain::{
    TaskView,
    project::{NewProject, Project, ProjectPatch},
};
use octopoid_store::projects::Filter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit,
    auth::Caller,
    body::Body,
    idempotency::{Attempt, Keyed, Outcome},
    json::Json,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    query::{Params, Segment},
};

/// A page of the list of projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectList {
    projects: Vec<Project>,
    #[serde(flatten)]
    paging: Paging,
}

long_field!(ProjectList, projects: Project);

/// So many tasks of a project come at once.
const TASKS_MAX: i64 = 10_000;

/// The tasks of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectTasks {
    project_id: String,
    tasks: Vec<TaskView>,
    /// The number of rows; null on a page that starts at a cursor.
    total: Option<i64>,
    /// Present and true if there are at least `total` rows, because counting was stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_partial: bool,
    /// The cursor of the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(ProjectTasks, tasks: TaskView);

/// The deleted object.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedProject {
    message: String,
}

/// Create a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProject,
    params(Keyed<()>),
    responses((status = 201, body = Project), Problems))]
pub(crate) async fn create_project(
    State(app): State<App>,
    caller: Caller,
    Keyed(key, Body(new)): Keyed<Body<NewProject>>,
) -> Outcome<Json<Project>> {
    let stamp = app.stamp();
    let within = caller.within();
    let new = new.into_project(within, stamp.now)?;
    let attempt = Attempt::new(&app, key, new.scope.as_deref(), StatusCode::CREATED);
    let created = attempt.store.create_project(new, stamp).await;
    let store = &app.store;
    let done = attempt
        .end(created, |was| async move { store.get_project(&was.subject, within).await })
        .await?;
    let note = |project: &Project| {
        audit::other("project.created", &caller, &project.id, project.scope.as_deref());
    };
    Ok(done.noted(note).map(Json))
}

/// List projects.
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects",
    params(
        ("scope" = Option<String>, Query, description = "Default: the key's scope; without a key, all scopes."),
        ("status" = Option<String>, Query, description = "With this status."),
        ("created_by" = Option<String>, Query, description = "Created by this person or agent."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("offset" = Option<String>, Query, description = "The number of rows to skip, at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = ProjectList), Problems))]
pub(crate) async fn list_projects(
    State(app): State<App>,
    caller: Caller,
    query: ListQuery,
) -> ListAnswer<ProjectList> {
    let filter = Filter {
        scope: caller.scope(query.get("scope")).map(str::to_owned),
        status: query.text("status"),
        created_by: query.text("created_by"),
    };
    let page = query.page()?;
    let listed = app.store.list_projects(&filter, &page).await?;
    let next = listed.next_cursor.clone();
    let paging = Paging::of(&listed, &page);
    Ok(query.answer(ProjectList { projects: listed.items, paging }, next.as_deref()))
}

/// Get a project.
#[utoipa::path(get, path = "/api/v1/projects/{id}", tag = "projects",
    params(
        ("id" = String, Path, description = "The project."),
        ("scope" = Option<String>, Query, description = "The response is 404 if it belongs to another scope."),
    ),
    responses((status = 200, body = Project), Problems))]
pub(crate) async fn get_project(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    params: Params,
) -> Answer<Project> {
    Ok(Json(app.store.get_project(&id, caller.scope(params.get("scope"))).await?))
}

/// List the tasks of a project.
///
/// Up to 10,000 tasks, by priority, then newest first.
#[utoipa::path(get, path = "/api/v1/projects/{id}/tasks", tag = "projects",
    params(
        ("id" = String, Path, description = "The project."),
        ("scope" = Option<String>, Query, description = "Only tasks of this scope."),
        ("limit" = Option<String>, Query, description = "Maximum and default 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page."),
    ),
    responses((status = 200, body = ProjectTasks), Problems))]
pub(crate) async fn list_project_tasks(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    query: ListQuery,
) -> ListAnswer<ProjectTasks> {
    let (within, page) = (caller.within(), query.whole(TASKS_MAX));
    let listed = app.store.list_project_tasks(&id, within, query.get("scope"), &page).await?;
    let next = listed.next_cursor.clone();
    let body = ProjectTasks {
        project_id: id,
        tasks: listed.items.into_iter().map(TaskView::from).collect(),
        total: listed.total,
        total_is_partial: listed.total_is_partial,
        next_cursor: listed.next_cursor,
    };
    Ok(query.answer(body, next.as_deref()))
}

/// Change fields of a project.
///
/// Absent fields keep their value; `null` clears a field. The status `completed` sets
/// `completed_at`.
#[utoipa::path(patch, path = "/api/v1/projects/{id}", tag = "projects", request_body = ProjectPatch,
    params(("id" = String, Path, description = "The project.")),
    responses((status = 200, body = Project), Problems))]
pub(crate) async fn update_project(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(patch): Body<ProjectPatch>,
) -> Answer<Project> {
    let project = app.store.update_project(&id, caller.within(), patch, app.stamp()).await?;
    audit::other("project.updated", &caller, &id, project.scope.as_deref());
    Ok(Json(project))
}

/// Delete a project.
///
/// The response is 409 while it has tasks.
#[utoipa::path(delete, path = "/api/v1/projects/{id}", tag = "projects",
    params(("id" = String, Path, description = "The project.")),
    responses((status = 200, body = DeletedProject), Problems))]
pub(crate) async fn delete_project(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Answer<DeletedProject> {
    app.store.delete_project(&id, caller.within(), app.stamp()).await?;
    audit::other("project.deleted", &caller, &id, caller.within());
    Ok(Json(DeletedProject { message: format!("Project {id} deleted") }))
}
