//! What D1 does with the store, asked from outside: a Worker for tests, each of whose answers is a
//! verdict.
//!
//! * `POST /cases/<name>` runs a case of the conformance suite on a fresh schema.
//! * `POST /costs/<waiting>` tells what requests cost while so many tasks wait.
//! * `POST /panic` panics.
//! * `GET /livez` tells that the Worker runs, on memory in which nothing has panicked.
//!
//! All requests share one database, so they have to be made one after the other.

mod costs;
mod guard;
mod wipe;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use octopoid_store_d1::D1;
use octopoid_store_testkit::{World, cases};
use worker::{Context, D1Database, Env, HttpRequest, Response, Result, event};

use crate::guard::Guard;

/// Whether this memory is in the middle of something.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _context: Context) -> Result<Response> {
    let path = request.uri().path().to_owned();
    match &*path {
        "/livez" if !HAS_PANICKED.load(Ordering::Relaxed) => return Response::ok("ok"),
        "/livez" => return Response::error("something has panicked", 500),
        "/panic" => {
            HAS_PANICKED.store(true, Ordering::Relaxed);
            panic!("as somebody has asked for");
        }
        _ => {}
    }
    wipe::wipe(&env.d1("DB")?).await?;
    let database = env.d1("DB")?;
    let verdict = match path.trim_start_matches('/').split_once('/') {
        Some(("cases", name)) => run_case(name, database).await,
        Some(("costs", waiting)) => costs::tell(waiting, database).await,
        _ => Err(format!("there is nothing at {path}")),
    };
    match verdict {
        Ok(text) => Response::ok(text),
        Err(text) => Response::error(text, 500),
    }
}

/// Runs a case and says what it comes to.
async fn run_case(name: &str, database: D1Database) -> std::result::Result<String, String> {
    let mut cases = cases();
    let case = cases.find(|case| case.name == name).ok_or("there is no such case")?;
    let guard = Arc::new(Guard::of(Arc::new(D1::new(database))));
    let world = World::over(guard.clone(), guard.inner()).await;
    let world = world.map_err(|error| error.to_string())?;
    case.run(&world).await.map_err(|failure| failure.to_string())?;
    guard.verdict()
}
