//! Session settings, set for each connection, or for each transaction behind a pooler.

use std::time::Duration;

use crate::Options;

/// Each statement of a write sees what was committed before it. Writes lock the rows they depend
/// on.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Reads of several statements use one snapshot.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Prepared statements use generic plans: every statement finds its rows by an index, so custom
/// plans would not be better. Keepalives detect peers that have disappeared, so that their
/// connections and locks are released.
const CONNECTION: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("default_transaction_isolation", "'read committed'"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_user_timeout", "30000"),
];

/// The planner's settings on the connections of groups. Merged statements look up each row of their
/// input by an index. A generic plan that was made while the tables were small would scan them
/// instead, and would be kept when they have grown. Parallel workers would mix the order of rows.
pub const GROUP_PLANNER: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// How long a group waits for a lock. Then its batches run alone, and others do not wait for that
/// lock.
const GROUP_LOCK_WAIT: Duration = Duration::from_millis(20);
/// The timeout of a group. Then its batches run alone, with the timeout of batches.
const GROUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of groups: others wait for a group, so its limits are shorter.
pub(crate) fn for_groups(options: &Options) -> Options {
    Options {
        batch_timeout: options.batch_timeout.min(GROUP_TIMEOUT),
        lock_wait: options.lock_wait.min(GROUP_LOCK_WAIT),
        ..options.clone()
    }
}

/// The statements that start connections and transactions.
pub(crate) struct Session {
    /// The settings of a new connection.
    pub(crate) settings: String,
    /// Whether statements are prepared. If not, a pooler may use a different connection for each
    /// transaction, so each transaction sets its settings.
    pub(crate) prepares: bool,
    begin_read: String,
    begin_write: String,
}

impl Session {
    /// The settings of the connections that run groups, with the [options of groups](for_groups).
    pub(crate) fn of_groups(options: &Options) -> Self {
        let session = Self::new(options);
        let planner: String = GROUP_PLANNER.iter().map(|setting| set("SET", setting)).collect();
        Self { settings: session.settings + &planner, ..session }
    }

    pub(crate) fn new(options: &Options) -> Self {
        let (batch_timeout, lock_wait) = (ms(options.batch_timeout), ms(options.lock_wait));
        let limits = [
            // If dead rows increase the estimated cost of a claim, JIT compilation takes half a
            // second each time, and the claim itself a fraction of a millisecond.
            ("jit", "off"),
            ("statement_timeout", &batch_timeout),
            ("lock_timeout", &lock_wait),
            // A transaction is sent at once, so only one whose client has disappeared is idle.
            ("idle_in_transaction_session_timeout", &batch_timeout),
        ];
        if options.prepares {
            let settings = limits.iter().chain(&CONNECTION).map(|setting| set("SET", setting));
            return Self {
                settings: settings.collect(),
                prepares: true,
                begin_read: BEGIN_READ.to_owned(),
                begin_write: BEGIN_WRITE.to_owned(),
            };
        }
        let local: String = limits.iter().map(|setting| set("SET LOCAL", setting)).collect();
        Self {
            settings: String::new(),
            prepares: false,
            begin_read: format!("{BEGIN_READ}; {local}"),
            begin_write: format!("{BEGIN_WRITE}; {local}"),
        }
    }

    /// The start of a read. A single statement needs no transaction block.
    pub(crate) fn begin_read(&self, statements: usize) -> Option<&str> {
        (statements > 1 || !self.prepares).then_some(&*self.begin_read)
    }

    /// The start of a write.
    pub(crate) fn begin_write(&self, statements: usize) -> Option<&str> {
        (statements > 1 || !self.prepares).then_some(&*self.begin_write)
    }
}

fn set(command: &str, (name, value): &(&str, &str)) -> String {
    format!("{command} {name} = {value}; ")
}

/// Milliseconds for PostgreSQL, where zero would mean no limit.
fn ms(duration: Duration) -> String {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Session;
    use crate::Options;

    #[test]
    fn a_connection_is_told_its_limits_once_and_a_poolers_with_each_transaction() {
        let options = Options { batch_timeout: Duration::from_secs(7), ..Options::default() };
        let own = Session::new(&options);
        assert!(own.settings.contains("SET statement_timeout = 7000; "), "{}", own.settings);
        assert_eq!(own.begin_write(1), None);
        assert!(!own.begin_write(2).unwrap().contains("SET"));

        let pooled = Session::new(&Options { prepares: false, ..options });
        assert_eq!(pooled.settings, "");
        for begin in [pooled.begin_read(1), pooled.begin_write(1), pooled.begin_write(2)] {
            let begin = begin.unwrap();
            assert!(begin.contains("; SET LOCAL statement_timeout = 7000; "), "{begin}");
            assert!(begin.contains("SET LOCAL jit = off; "), "{begin}");
        }
    }

    #[test]
    fn a_limit_is_never_none_and_never_more_than_postgresql_takes() {
        for (limit, text) in [(Duration::ZERO, "= 1;"), (Duration::MAX, "= 2147483647;")] {
            let options = Options { batch_timeout: limit, ..Options::default() };
            assert!(Session::new(&options).settings.contains(text));
        }
    }
}
