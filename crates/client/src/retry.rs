//! Sending a request again whose answer was lost.

use std::time::Duration;

use reqwest::{RequestBuilder, header::RETRY_AFTER};

use crate::{Client, Error, Result};

/// How often a request with an idempotency key is sent, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often it is sent at most: 1 is never again.
    pub attempts: u32,
    /// The pause before the second attempt, which doubles with each further one. A pause is shortened
    /// by up to half of it, at random, so that clients do not come back at the same moment.
    pub pause: Duration,
    /// The longest pause that this client chooses itself.
    pub pause_max: Duration,
    /// The longest pause that the server may ask for: after a longer one, the answer is returned.
    pub asked_max: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(5),
            // A rate limit asks for a little more than a minute at most.
            asked_max: Duration::from_secs(65),
        }
    }
}

impl Retries {
    /// Sends each request once.
    pub const NONE: Self = Self {
        attempts: 1,
        pause: Duration::ZERO,
        pause_max: Duration::ZERO,
        asked_max: Duration::ZERO,
    };

    /// The pause after so many attempts.
    fn after(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.pause.saturating_mul(1 << (attempts - 1).min(16));
        let pause = doubled.min(self.pause_max);
        let shortened = pause.mul_f64(1.0 - f64::from(random::<1>()[0]) / 512.0);
        shortened.max(asked.unwrap_or_default())
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The pause that the server asks for.
    retry_after: Option<Duration>,
}

impl Client {
    /// The same server, with other rules for sending requests again.
    #[must_use]
    pub fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Sends a request with an idempotency key, so that it is carried out once however often it is
    /// sent.
    pub(crate) async fn exchange_once(&self, request: RequestBuilder) -> Result<Answer> {
        self.exchange_again(request.header("idempotency-key", hex(random::<16>()))).await
    }

    /// Sends a request that may be carried out twice, and sends it again if no answer comes, or if one
    /// says that the server may not have done what was asked.
    pub(crate) async fn exchange_again(&self, mut request: RequestBuilder) -> Result<Answer> {
        let mut attempts = 1;
        loop {
            // A body that can be sent only once is none that this client makes.
            let again = request.try_clone().filter(|_| attempts < self.retries.attempts);
            let answer = self.exchange(request).await;
            let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after);
            let is_soon = asked.is_none_or(|asked| asked <= self.retries.asked_max);
            match again.filter(|_| is_lost(&answer) && is_soon) {
                None => return answer,
                Some(again) => request = again,
            }
            let pause = self.retries.after(attempts, asked);
            #[expect(clippy::disallowed_methods, reason = "a server that is busy needs a pause")]
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }

    /// Sends a request.
    pub(crate) async fn exchange(&self, request: RequestBuilder) -> Result<Answer> {
        let response = self.send_request(request).await?;
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
        let seconds = seconds.and_then(|text| text.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        Ok(Answer { status, body: response.bytes().await?.into(), retry_after })
    }
}

/// Whether the same request may still be answered: the connection broke, or took too long, or
/// something before the server or the server itself says that it is not available now, or not for
/// this client.
fn is_lost(answer: &Result<Answer>) -> bool {
    match answer {
        Ok(answer) => matches!(answer.status, 429 | 502..=504),
        Err(Error::Transport(error)) => !error.is_builder(),
        Err(_) => false,
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("a system that has sockets has random numbers");
    bytes
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Retries, hex};

    #[test]
    fn pauses_grow_up_to_the_longest_and_heed_the_server() {
        let ms = Duration::from_millis;
        let retries =
            Retries { attempts: 9, pause: ms(100), pause_max: ms(1_000), ..Retries::default() };
        for (attempts, asked, least, most) in [
            (1, None, 50, 100),
            (2, None, 100, 200),
            (5, None, 500, 1_000),
            (40, None, 500, 1_000),
            (1, Some(ms(700)), 700, 700),
            (1, Some(ms(60_000)), 60_000, 60_000),
        ] {
            let pause = retries.after(attempts, asked);
            assert!((ms(least)..=ms(most)).contains(&pause), "{attempts} {asked:?}: {pause:?}");
        }
        assert_eq!(Retries::NONE.after(1, None), Duration::ZERO);
    }

    #[test]
    fn keys_have_the_same_length() {
        assert_eq!(hex([0; 16]), "0".repeat(32));
        assert_eq!(hex([0xff; 16]), "f".repeat(32));
    }
}
