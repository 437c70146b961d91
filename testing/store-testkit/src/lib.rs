//! What every engine must do, as a list of cases, and a model that random programs are judged by.
//!
//! A case is a plain future over a [`World`]; it names no engine and no runtime, so the same list
//! runs on a database file, in memory, on a server and at the edge. After each case the database
//! itself is looked over for what must hold whatever happened (see [`audit`]).

/// Makes a list of cases from functions of those names.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases of this file.
        pub(super) const CASES: &[$crate::Case] = &[$($crate::Case {
            name: stringify!($name),
            run: |world| Box::pin($name(world)),
        }),*];
    };
}

pub mod agreement;
pub mod audit;
mod cases;
pub mod every_operation;
pub mod model;
pub mod nouns;
pub mod program;
pub mod recording;
pub mod setting;
pub mod verdict;
pub mod world;

use futures_util::future::BoxFuture;

pub use cases::all as cases;
pub use verdict::{Failure, Verdict};
pub use world::World;

/// A rule, as a story that keeps it.
pub struct Case {
    /// The rule, in words joined by underscores.
    pub name: &'static str,
    run: for<'a> fn(&'a World) -> BoxFuture<'a, Verdict>,
}

impl Case {
    /// Tells the story in a fresh world, and looks the database over afterwards.
    pub async fn run(&self, world: &World) -> Verdict {
        (self.run)(world).await?;
        audit::check(world).await
    }
}
