//! When a claim that found nothing looks again: after a hint, or when what keeps everything from it
//! has ended.

use const_format::concatcp;
use octopoid_domain::{
    Millis,
    pause::{Pause, pool_target, retry_after_seconds},
    task::ClaimRequest,
};

use crate::{
    Result, Store, Watch, all,
    engine::bind,
    lists::json,
    record::{self, Columns as _},
};

const PAUSES: &str = concatcp!(
    "SELECT ",
    Pause::NAMES,
    " FROM pauses WHERE scope = ?1 AND target IN (SELECT value FROM json_each(?2)) \
     AND (until IS NULL OR until > ?3)"
);

const DRAINING: &str =
    "SELECT 1 FROM orchestrators WHERE id = ?1 AND scope = ?2 AND status = 'draining'";

/// What keeps everything from a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Barrier {
    /// Whether its machine is drained. Others that wait for the same work are not concerned.
    pub is_draining: bool,
    /// After how many seconds to claim again, if a pause covers all that the claim could get.
    pub retry_after_seconds: Option<i64>,
}

impl Store {
    /// Begins to wait for something that this claim would get.
    pub fn watch_claims(&self, scope: &str, within: Option<&str>, request: &ClaimRequest) -> Watch {
        // The machine makes no difference: one that is drained leaves its hint to the others.
        let (roles, kinds, pools) = (&request.role_filter, &request.type_filter, &request.pools);
        let interest =
            format!("{:?}", (&request.queue, request.in_place, roles, kinds, pools, within));
        self.hints().watch(scope, &interest)
    }

    /// Finds out whether a pause, or the draining of its machine, keeps everything from a claim.
    pub async fn barrier(
        &self,
        scope: &str,
        within: Option<&str>,
        request: &ClaimRequest,
        now: Millis,
    ) -> Result<Barrier> {
        let source = self.claim_source(scope, within, request).await?;
        let roles = &request.role_filter.0;
        let mut targets = vec!["scope".to_owned(), format!("queue:{source}")];
        targets.extend(request.pools.0.iter().map(|pool| pool_target(pool)));
        targets.extend(roles.iter().map(|role| format!("role:{role}")));
        let [pauses, draining] = self
            .read_by_key([
                bind!(PAUSES, scope, json(&targets), now),
                bind!(DRAINING, &request.orchestrator_id.0, scope),
            ])
            .await?;
        let pauses: Vec<Pause> = all(pauses, record::read)?;
        Ok(Barrier {
            is_draining: !draining.is_empty(),
            retry_after_seconds: retry_after_seconds(&pauses, roles, now),
        })
    }
}
