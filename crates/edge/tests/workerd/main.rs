//! The Worker under test, and the store on D1, in the runtime that Cloudflare runs.
//!
//! `cargo xtask edge test` starts the Workers and then this, and says by variables where they are.
//! Without them there is nothing to test, and these tests say so by being none.

mod contract;
mod costs;
mod cron;
mod import;
mod mcp;
mod pace;
mod panic;
mod storm;
mod webhooks;

use std::{env, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use octopoid_client::Client;
use octopoid_domain::{
    key::NewKey,
    task::{ClaimRequest, NewTask},
};
use reqwest::StatusCode;

/// What a test comes to. Its error is shown with all its causes.
type Verdict = anyhow::Result<()>;

/// Where the Workers are.
#[derive(Clone)]
struct Edge {
    /// The Worker that is deployed.
    url: String,
    /// The one that runs cases and tells costs.
    conformance: String,
    /// The administrator's token of the first.
    admin: String,
}

impl Edge {
    fn find() -> Option<Self> {
        Some(Self {
            url: env::var("OCTOPOID_EDGE_URL").ok()?,
            conformance: env::var("OCTOPOID_EDGE_CONFORMANCE_URL").ok()?,
            admin: env::var("API_SECRET_KEY").ok()?,
        })
    }

    fn administrator(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url)?.with_key(&self.admin))
    }

    /// The holder of a fresh key for a scope, whose requests are about that scope.
    async fn holder(&self, scope: &str) -> anyhow::Result<Client> {
        let new = NewKey { scope: scope.into(), ..NewKey::default() };
        let issued = self.administrator()?.issue_key(&new).await?;
        Ok(Client::new(&self.url)?.with_key(issued.api_key).with_scope(scope))
    }

    /// Asks the conformance Worker for a verdict.
    async fn judged(&self, path: &str) -> anyhow::Result<String> {
        let http = octopoid_client::http(&self.conformance).build()?;
        let answer = http.post(format!("{}{path}", self.conformance)).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status == StatusCode::OK, "{text}");
        Ok(text)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = Edge::find().map(|edge| trials(&edge)).unwrap_or_default();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(edge: &Edge) -> Vec<Trial> {
    let mut trials: Vec<Trial> = octopoid_store_testkit::cases()
        .map(|case| {
            trial(edge, format!("conformance::{}", case.name), async move |edge| {
                edge.judged(&format!("/cases/{}", case.name)).await.map(drop)
            })
        })
        .collect();
    /// A trial for each function, with its path as the name.
    macro_rules! add {
        ($($function:path),* $(,)?) => {
            trials.extend([$(trial(edge, stringify!($function).to_owned(), $function)),*])
        };
    }
    add![
        contract::a_task_lives_from_creation_to_acceptance,
        contract::a_project_a_draft_and_a_message_are_kept,
        contract::the_journal_is_read_in_pages,
        contract::without_a_key_nobody_gets_in,
        contract::a_key_is_confined_to_its_scope,
        contract::a_key_permits_what_it_was_issued_for,
        contract::errors_have_their_texts_and_codes,
        contract::an_unknown_route_is_told_as_such,
        contract::a_body_that_no_handler_reads_does_not_disturb_the_next_request,
        contract::pages_of_other_origins_may_call,
        contract::large_texts_come_back_whole,
        contract::a_row_does_not_grow_beyond_what_the_database_keeps,
        contract::health_and_description_are_open_to_all,
        mcp::five_tasks_live_by_tools_alone,
        import::clients_of_the_first_server_go_on,
        cron::the_cron_trigger_takes_lapsed_work_back,
        webhooks::the_cron_trigger_sends_to_webhooks,
        storm::thirty_two_clients_share_the_tasks_without_a_quarrel,
        panic::the_request_after_a_panic_finds_a_sound_instance,
        costs::requests_cost_no_more_than_they_may,
    ];
    let measured = edge.clone();
    trials.push(Trial::bench("pace::lifecycles_beside_doing_nothing", move |is_trial| {
        block_on(pace::lifecycles_beside_doing_nothing(measured, is_trial))
    }));
    trials
}

fn trial<F>(edge: &Edge, name: String, test: impl Fn(Edge) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Verdict>,
{
    let edge = edge.clone();
    Trial::test(name, move || block_on(test(edge)))
}

fn block_on<T>(test: impl Future<Output = anyhow::Result<T>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(test).map_err(|error| Failed::from(format!("{error:#}")))
}

/// A task that says no more than it must.
fn new_task(id: &str) -> NewTask {
    NewTask {
        id: id.into(),
        file_path: format!("tasks/{id}.md").into(),
        branch: "main".into(),
        ..NewTask::default()
    }
}

/// A claim of whatever is next.
fn claim_by(agent: &str) -> ClaimRequest {
    ClaimRequest {
        orchestrator_id: "box-1".into(),
        agent_name: agent.into(),
        ..ClaimRequest::default()
    }
}
