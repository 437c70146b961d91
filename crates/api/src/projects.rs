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
    json::Json,
    list::{ListAnswer, ListQuery, Paging},
    listing::long_field,
    openapi::{Answer, Problems},
    problem::Problem,
    query::{Params, Segment},
};

/// A stretch of the list of projects.
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
    /// How many there are; null on a page that starts at a cursor.
    total: Option<i64>,
    /// There, and true, if there are at least `total`: counting was given up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_partial: bool,
    /// Asks for the next page; null at the end.
    next_cursor: Option<String>,
}

long_field!(ProjectTasks, tasks: TaskView);

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletedProject {
    message: String,
}

/// Create a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), Problems))]
pub(crate) async fn create_project(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewProject>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    let stamp = app.stamp();
    let new = new.into_project(caller.within(), stamp.now)?;
    let project = app.store.create_project(new, stamp).await?;
    audit::other("project.created", &caller, &project.id, project.scope.as_deref());
    Ok((StatusCode::CREATED, Json(project)))
}

/// List projects.
///
/// The newest first.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects",
    params(
        ("scope" = Option<String>, Query, description = "The key's; without a key, all."),
        ("status" = Option<String>, Query, description = "With this status."),
        ("created_by" = Option<String>, Query, description = "Created by this person or agent."),
        ("limit" = Option<String>, Query, description = "At most 500; 50 if left out."),
        ("offset" = Option<String>, Query, description = "How many to pass over; at most 10,000."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
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
        ("scope" = Option<String>, Query, description = "404 if it belongs to another."),
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
/// All of them, up to 10,000: the most urgent first, and among equals the newest.
#[utoipa::path(get, path = "/api/v1/projects/{id}/tasks", tag = "projects",
    params(
        ("id" = String, Path, description = "The project."),
        ("scope" = Option<String>, Query, description = "Leaves out the tasks of others."),
        ("limit" = Option<String>, Query, description = "At most 10,000, which is what it is if left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
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
/// Absent fields keep their value, `null` clears. The status `completed` notes the time.
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
/// 409 as long as it has tasks.
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
