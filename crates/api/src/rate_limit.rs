//! Rate limits: how many requests a key, or an address without a valid key, may send in a minute.
//!
//! Each has a token bucket, which holds the requests of a minute and is refilled continuously. The
//! buckets are in this process: with several servers, or several instances of a Worker, each counts
//! for itself. The administrator is not limited.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};

use crate::{app::App, auth::Caller, problem::Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What a bucket holds is refilled in this time.
const WINDOW_MS: i64 = 60_000;

/// The highest limit, in requests per minute. It keeps the arithmetic below from overflowing.
pub const RATE_MAX: u32 = 1_000_000;

/// The most buckets of a kind. Those beyond share one.
const BUCKETS_MAX: usize = 10_000;

/// The minimum time between two searches for buckets that are full again.
const SWEEP_MS: i64 = 1_000;

/// The other end of a connection. The host adds it to the extensions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The network of one user: an IPv4 address, or the /64 prefix of an IPv6 address.
    pub fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
            address => address,
        }
    }
}

/// The rate limits of a server.
#[derive(Debug)]
pub(crate) struct RateLimits {
    keys: Option<Buckets<String>>,
    addresses: Option<Buckets<IpAddr>>,
}

/// What is left of a limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    name: &'static str,
    max: i64,
    left: i64,
    /// Seconds until the bucket is full again.
    reset_s: i64,
    /// Seconds until the next request is allowed; 0 if one is now.
    wait_s: i64,
}

impl RateLimits {
    /// Limits in requests per minute, from 1 to [`RATE_MAX`]; `None` is no limit.
    pub(crate) fn new(per_key: Option<u32>, per_address: Option<u32>) -> Self {
        Self {
            keys: per_key.map(|max| Buckets::new("key", max)),
            addresses: per_address.map(|max| Buckets::new("address", max)),
        }
    }

    /// Counts a request of a known caller, and refuses it if there were too many.
    pub(crate) fn admit(
        &self,
        app: &App,
        caller: &Caller,
        extensions: &Extensions,
    ) -> Result<Option<Quota>, Problem> {
        let key = match caller {
            Caller::Administrator => return Ok(None),
            Caller::Anyone => return self.admit_unknown(app, extensions),
            Caller::Holder { key_id, .. } => key_id.clone(),
            Caller::Run { task_id, run, .. } => format!("{task_id}/{run}"),
        };
        let quota = self.keys.as_ref().map(|keys| keys.take(key, app.elapsed_ms()));
        quota.map(Quota::check).transpose()
    }

    /// Counts a request without a valid key. Loopback addresses have no limit: they stand for every
    /// program, and for every client of a proxy, on this machine.
    pub(crate) fn admit_unknown(
        &self,
        app: &App,
        extensions: &Extensions,
    ) -> Result<Option<Quota>, Problem> {
        let Some((addresses, network)) = self.limited(extensions) else { return Ok(None) };
        addresses.take(network, app.elapsed_ms()).check().map(Some)
    }

    /// Refuses the administrator's token from an address that has sent too many requests without a
    /// valid key. People choose the token, so that it can be guessed; the answer to a right guess
    /// must not differ then. Keys are random, and are taken all the same.
    pub(crate) fn admit_administrator(
        &self,
        app: &App,
        extensions: &Extensions,
    ) -> Result<(), Problem> {
        let Some((addresses, network)) = self.limited(extensions) else { return Ok(()) };
        addresses.look(&network, app.elapsed_ms()).check().map(drop)
    }

    /// The buckets of addresses and the network of this request, if it is limited.
    fn limited(&self, extensions: &Extensions) -> Option<(&Buckets<IpAddr>, IpAddr)> {
        let network = extensions.get::<Peer>()?.network();
        (!network.is_loopback()).then_some((self.addresses.as_ref()?, network))
    }
}

impl Quota {
    fn check(self) -> Result<Self, Problem> {
        if self.wait_s == 0 { Ok(self) } else { Err(Problem::rate_limited(self)) }
    }

    /// What the refusal says.
    pub(crate) fn text(self) -> String {
        let Self { name, max, wait_s, .. } = self;
        let whose = match name {
            "key" => "with this key",
            _ => "without a valid key from this address",
        };
        format!("Too many requests {whose}: at most {max} a minute. Retry in {wait_s} seconds")
    }

    /// Adds the headers.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self { name, max, left, reset_s, wait_s } = self;
        let window = WINDOW_MS / 1_000;
        let mut add = |name, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        };
        add(POLICY, format!("\"{name}\";q={max};w={window}"));
        add(LIMIT, format!("\"{name}\";r={left};t={reset_s}"));
        if wait_s > 0 {
            add(header::RETRY_AFTER, wait_s.to_string());
        }
    }
}

/// The buckets of one kind.
#[derive(Debug)]
struct Buckets<K> {
    name: &'static str,
    max: i64,
    known: Mutex<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    by_id: HashMap<K, Bucket>,
    shared: Bucket,
    /// Before this time, buckets that are full again are not searched for.
    sweep_due_ms: i64,
}

/// A token bucket. It stores when it is full again instead of a number of tokens, so that refilling
/// takes no work.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it is full again, in milliseconds times the number of requests of a window. In this unit
    /// a request takes [`WINDOW_MS`] to refill, a whole number.
    full_at: i64,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(name: &'static str, max: u32) -> Self {
        let known =
            Known { by_id: HashMap::new(), shared: Bucket::default(), sweep_due_ms: i64::MIN };
        Self { name, max: max.clamp(1, RATE_MAX).into(), known: Mutex::new(known) }
    }

    /// Takes a request out of a bucket, if it has one.
    fn take(&self, id: K, now_ms: i64) -> Quota {
        let now = self.units(now_ms);
        let mut known = self.lock();
        let Known { by_id, shared, sweep_due_ms } = &mut *known;
        let is_known = by_id.contains_key(&id);
        if !is_known && by_id.len() >= BUCKETS_MAX && now_ms >= *sweep_due_ms {
            // A bucket that is full is as good as none.
            by_id.retain(|_, bucket| bucket.full_at > now);
            *sweep_due_ms = now_ms.saturating_add(SWEEP_MS);
        }
        let has_own = is_known || by_id.len() < BUCKETS_MAX;
        let bucket = if has_own { by_id.entry(id).or_default() } else { shared };
        let quota = self.quota(*bucket, now);
        if quota.wait_s > 0 {
            return quota;
        }
        bucket.full_at = bucket.full_at.max(now) + WINDOW_MS;
        Quota { wait_s: 0, ..self.quota(*bucket, now) }
    }

    /// What a request would find, which is not counted.
    fn look(&self, id: &K, now_ms: i64) -> Quota {
        let known = self.lock();
        let bucket = known.by_id.get(id).copied().unwrap_or_else(|| {
            if known.by_id.len() < BUCKETS_MAX { Bucket::default() } else { known.shared }
        });
        self.quota(bucket, self.units(now_ms))
    }

    /// What is left in a bucket.
    fn quota(&self, bucket: Bucket, now: i64) -> Quota {
        let capacity = WINDOW_MS * self.max;
        let lacking = (bucket.full_at - now).max(0);
        let seconds = |units: i64| units.div_euclid(self.max).div_euclid(1_000) + 1;
        let missing = lacking + WINDOW_MS - capacity;
        Quota {
            name: self.name,
            max: self.max,
            left: (capacity - lacking) / WINDOW_MS,
            reset_s: seconds(lacking),
            wait_s: if missing > 0 { seconds(missing) } else { 0 },
        }
    }

    /// A time in the unit of buckets.
    fn units(&self, ms: i64) -> i64 {
        ms.saturating_mul(self.max)
    }

    fn lock(&self) -> MutexGuard<'_, Known<K>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use axum::http::HeaderMap;

    use super::{BUCKETS_MAX, Buckets, Peer, RATE_MAX};

    fn left(buckets: &Buckets<u32>, id: u32, now_ms: i64) -> Result<i64, i64> {
        let quota = buckets.take(id, now_ms);
        if quota.wait_s == 0 { Ok(quota.left) } else { Err(quota.wait_s) }
    }

    #[test]
    fn a_bucket_is_emptied_by_requests_and_refilled_by_time() {
        let buckets = Buckets::new("key", 3);
        for expected in [Ok(2), Ok(1), Ok(0), Err(20), Err(20)] {
            assert_eq!(left(&buckets, 1, 1_000), expected.map_err(|wait: i64| wait + 1));
        }
        assert_eq!(left(&buckets, 2, 1_000), Ok(2), "another one's is full");
        assert_eq!(left(&buckets, 1, 20_999), Err(1));
        assert_eq!(left(&buckets, 1, 21_000), Ok(0));
        assert_eq!(left(&buckets, 1, 21_000), Err(21));
        assert_eq!(left(&buckets, 1, 900_000), Ok(2), "it is never more than full");
    }

    #[test]
    fn a_minute_of_requests_at_the_rate_is_admitted() {
        let buckets = Buckets::new("key", 7);
        let interval = 60_000 / 7 + 1;
        assert!((0..100).all(|number| left(&buckets, 1, number * interval).is_ok()));
    }

    #[test]
    fn too_many_buckets_share_one_until_others_are_full_again() {
        let buckets = Buckets::new("address", 2);
        for id in 0..u32::try_from(BUCKETS_MAX).unwrap() {
            assert_eq!(left(&buckets, id, 0), Ok(1));
        }
        assert_eq!(
            [1, 2, 3].map(|id| left(&buckets, 1_000_000 + id, 0).is_ok()),
            [true, true, false]
        );
        assert_eq!(left(&buckets, 1_000_003, 60_000), Ok(1), "those that are full were forgotten");
    }

    #[test]
    fn the_highest_rate_does_not_overflow_in_centuries() {
        let buckets = Buckets::new("key", u32::MAX);
        let century = 100 * 365 * 24 * 60 * 60 * 1_000;
        assert_eq!(left(&buckets, 1, century), Ok(i64::from(RATE_MAX) - 1));
        assert_eq!(left(&buckets, 1, century), Ok(i64::from(RATE_MAX) - 2));
    }

    #[test]
    fn looking_at_a_bucket_takes_nothing_out_of_it() {
        let buckets = Buckets::new("address", 1);
        assert!([0, 0].map(|now_ms| buckets.look(&1, now_ms).wait_s) == [0, 0]);
        assert_eq!(left(&buckets, 1, 0), Ok(0));
        assert_eq!(buckets.look(&1, 0).wait_s, 61);
        assert_eq!(buckets.look(&2, 0).wait_s, 0);
    }

    #[test]
    fn the_headers_say_what_is_left_and_when_to_retry() {
        let buckets = Buckets::new("key", 2);
        let told = |now_ms| {
            let mut headers = HeaderMap::new();
            buckets.take(1, now_ms).tell(&mut headers);
            ["ratelimit-policy", "ratelimit", "retry-after"]
                .map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()))
        };
        let text = |text: &str| Some(text.to_owned());
        let policy = text("\"key\";q=2;w=60");
        assert_eq!(told(0), [policy.clone(), text("\"key\";r=1;t=31"), None]);
        told(0);
        assert_eq!(told(0), [policy, text("\"key\";r=0;t=61"), text("31")]);
    }

    #[test]
    fn an_ipv6_user_has_a_network() {
        let network = |text: &str| Peer(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
        assert_eq!(network("::ffff:192.0.2.1"), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert!(network("::1").is_loopback());
    }
}
