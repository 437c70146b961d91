//! A panic, and the requests after it.

use anyhow::ensure;

use crate::{Edge, Verdict};

pub(crate) async fn the_request_after_a_panic_finds_a_sound_instance(edge: Edge) -> Verdict {
    let http = octopoid_client::http(&edge.url).build()?;
    for _ in 0..2 {
        let failed = http.post(format!("{}/panic", edge.conformance)).send().await?;
        ensure!(failed.status().is_server_error(), "a panic is answered with {failed:?}");
        let next = http.get(format!("{}/livez", edge.conformance)).send().await?;
        let (status, text) = (next.status(), next.text().await?);
        ensure!(status == 200, "the request after a panic is answered with {status}: {text}");
    }
    Ok(())
}
