//! The registry of open connections: their number, their peers, and which of them are idle.

use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use octopoid_api::rate_limit::Peer;
use rustix::io::Errno;
use tokio::{sync::Notify, task::AbortHandle};

use super::rate_limit::RateLimit;

/// States below this value belong to busy connections: the number of requests and response chunks
/// in flight. Pipelined requests may overlap, because a response is in flight until it has been
/// written. States from here on belong to idle connections: the moment at which they became idle.
const IDLE: u64 = 1 << 63;
/// The state of a connection that is being closed.
const CLOSED: u64 = u64::MAX;

/// All open connections.
pub(super) struct Registry {
    /// The maximum number of connections.
    max: usize,
    /// The maximum number for one address. Loopback addresses have no such limit: they stand for
    /// every program on this machine.
    peer_max: usize,
    open: Mutex<Open>,
    /// A counter of moments at which connections became idle: the longest idle connection has the
    /// lowest number.
    moment: AtomicU64,
    /// Notified when a connection is closed or becomes idle.
    freed: Notify,
    warnings: Warnings,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    /// The number of connections of each address.
    peers: HashMap<IpAddr, usize>,
    next: u64,
}

#[derive(Default)]
struct Warnings {
    accept: RateLimit,
    closed: RateLimit,
    full: RateLimit,
    refused: RateLimit,
}

/// An open connection.
pub(super) struct Connection {
    registry: Arc<Registry>,
    id: u64,
    peer: IpAddr,
    /// Below [`IDLE`], from [`IDLE`] on, or [`CLOSED`].
    state: AtomicU64,
    /// The task that serves the connection. Aborting it closes the connection.
    task: OnceLock<AbortHandle>,
}

impl Connection {
    /// The network at the other end.
    pub(super) fn peer(&self) -> Peer {
        Peer(self.peer)
    }
}

impl Registry {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            peer_max: max - max / 16,
            open: Mutex::default(),
            moment: AtomicU64::new(IDLE),
            freed: Notify::new(),
            warnings: Warnings::default(),
        })
    }

    /// Nothing panics while this mutex is locked.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a connection from this address. At the limit the longest idle connection is
    /// closed; if none is idle, the new one waits. Returns `None` if the address has reached its
    /// limit and all of its connections are busy.
    pub(super) async fn enter(self: &Arc<Self>, address: SocketAddr) -> Option<Member> {
        let peer = Peer(address.ip()).network();
        loop {
            let freed = self.freed.notified();
            match self.try_enter(peer) {
                Entry::Entered(member) => return Some(member),
                Entry::Refused => {
                    if let Some(times) = self.warnings.refused.allows() {
                        let connections = self.peer_max;
                        tracing::warn!(
                            %peer, connections, times,
                            "refused connections of an address with too many connections"
                        );
                    }
                    return None;
                }
                Entry::Full => {
                    if let Some(times) = self.warnings.full.allows() {
                        let connections = self.max;
                        tracing::warn!(
                            connections,
                            times,
                            "all connections have a request in flight, new connections wait"
                        );
                    }
                    freed.await;
                }
            }
        }
    }

    fn try_enter(self: &Arc<Self>, peer: IpAddr) -> Entry {
        let mut open = self.open();
        let own = open.peers.get(&peer).copied().unwrap_or(0);
        let has_share = peer.is_loopback() || own < self.peer_max;
        if !has_share && !self.close_idle(&mut open, Some(peer)) {
            return Entry::Refused;
        }
        if open.connections.len() >= self.max && !self.close_idle(&mut open, None) {
            return Entry::Full;
        }
        let id = open.next;
        open.next += 1;
        let state = AtomicU64::new(self.moment.fetch_add(1, Ordering::Relaxed));
        let (registry, task) = (Arc::clone(self), OnceLock::new());
        let connection = Arc::new(Connection { registry, id, peer, state, task });
        open.connections.insert(id, Arc::clone(&connection));
        *open.peers.entry(peer).or_default() += 1;
        Entry::Entered(Member(connection))
    }

    /// Closes the longest idle connection: of this address, or of the address with the most
    /// connections. Returns false if none is idle.
    fn close_idle(&self, open: &mut Open, of: Option<IpAddr>) -> bool {
        loop {
            let Open { connections, peers, .. } = &*open;
            let idle = connections.iter().filter_map(|(id, connection)| {
                let is_asked = of.is_none_or(|peer| peer == connection.peer);
                let state = connection.state.load(Ordering::Relaxed);
                (is_asked && (IDLE..CLOSED).contains(&state)).then_some((id, connection, state))
            });
            let longest = idle.max_by_key(|(_, connection, since)| {
                (peers.get(&connection.peer).copied(), Reverse(*since))
            });
            let Some((&id, connection, since)) = longest else {
                return false;
            };
            let connection = Arc::clone(connection);
            // A request may have arrived on it at the same time.
            if connection
                .state
                .compare_exchange(since, CLOSED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                open.remove(id);
                connection.close();
                if let Some(times) = self.warnings.closed.allows() {
                    let (connections, peer) = (self.max, connection.peer);
                    tracing::warn!(
                        connections, times, %peer,
                        "closed idle connections to accept new ones"
                    );
                }
                return true;
            }
        }
    }

    /// Logs an accept error, and returns whether the server should pause. If the process is out of
    /// files or memory, closes the longest idle connection.
    pub(super) fn note_accept_error(&self, error: &io::Error) -> bool {
        // The client disconnected while it was in the listen backlog.
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
            return false;
        }
        if let Some(times) = self.warnings.accept.allows() {
            tracing::warn!(%error, times, "could not accept a connection");
        }
        let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        if Errno::from_io_error(error).is_some_and(|error| scarce.contains(&error)) {
            self.close_idle(&mut self.open(), None);
        }
        true
    }
}

impl Open {
    fn remove(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(count) = self.peers.get_mut(&connection.peer) {
            *count -= 1;
            if *count == 0 {
                self.peers.remove(&connection.peer);
            }
        }
    }
}

enum Entry {
    Entered(Member),
    Refused,
    Full,
}

/// The registration of a connection, which ends on drop.
pub(super) struct Member(Arc<Connection>);

impl Deref for Member {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Connection { registry, id, .. } = &*self.0;
        registry.open().remove(*id);
        registry.freed.notify_one();
    }
}

impl Connection {
    /// Sets the task that serves the connection. The task is aborted immediately if the connection
    /// was already closed.
    pub(super) fn set_task(&self, task: AbortHandle) {
        // No idle connection is closed while this is locked.
        let _open = self.registry.open();
        let task = self.task.get_or_init(|| task);
        if self.state.load(Ordering::Relaxed) == CLOSED {
            task.abort();
        }
    }

    /// Closes the connection, even if it is busy.
    pub(super) fn close(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Takes the connection out of the registry: it carries a stream until it is closed, and streams
    /// have a maximum of their own.
    pub(super) fn leave(&self) {
        self.registry.open().remove(self.id);
        self.registry.freed.notify_one();
    }

    /// Marks the start of a request. Returns `None` if the connection is being closed.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Busy> {
        let begun = |state| match state {
            CLOSED => None,
            IDLE.. => Some(1),
            in_flight => Some(in_flight + 1),
        };
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begun).ok()?;
        Some(Busy(Arc::clone(self)))
    }
}

/// A request in flight, or a chunk of its response. When the last of them is dropped, the
/// connection becomes idle.
pub(super) struct Busy(Arc<Connection>);

impl Busy {
    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.0)
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        // `self` keeps the connection from becoming idle meanwhile.
        self.0.state.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Connection { registry, state, .. } = &*self.0;
        let ended = |in_flight| {
            let is_last = in_flight == 1;
            Some(if is_last {
                registry.moment.fetch_add(1, Ordering::Relaxed)
            } else {
                in_flight - 1
            })
        };
        if state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, ended) == Ok(1) {
            registry.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, atomic::Ordering},
        task::Poll,
    };

    use futures_util::FutureExt;
    use rustix::io::Errno;

    use super::{CLOSED, Member, Registry};

    /// A place, a refusal, or neither yet.
    fn enter(registry: &Arc<Registry>, address: &str) -> Poll<Option<Member>> {
        let address = format!("{address}:1").parse().unwrap();
        registry.enter(address).now_or_never().map_or(Poll::Pending, Poll::Ready)
    }

    fn entered(registry: &Arc<Registry>, address: &str) -> Member {
        match enter(registry, address) {
            Poll::Ready(Some(member)) => member,
            other => {
                panic!("no place: it {}", if other.is_ready() { "is refused" } else { "waits" })
            }
        }
    }

    fn is_closed(member: &Member) -> bool {
        member.state.load(Ordering::Relaxed) == CLOSED
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let registry = Registry::new(3);
        let [first, second, third] =
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|peer| entered(&registry, peer));
        // The first has been busy since, and idle for a shorter time than the second.
        drop(first.begin().unwrap());
        let fourth = entered(&registry, "10.0.0.4");
        assert!(is_closed(&second) && !is_closed(&first) && !is_closed(&third));
        assert!(second.begin().is_none(), "a request on a closed connection is not begun");
        // The closed one's end frees no second place.
        drop(second);
        let _fifth = entered(&registry, "10.0.0.5");
        assert!(is_closed(&third) && !is_closed(&first) && !is_closed(&fourth));
    }

    #[test]
    fn the_address_with_the_most_connections_gives_up_one_first() {
        let registry = Registry::new(4);
        let modest = entered(&registry, "10.0.0.1");
        let greedy = [(); 3].map(|()| entered(&registry, "10.0.0.2"));
        let _new = entered(&registry, "10.0.0.3");
        assert!(!is_closed(&modest), "it has been idle for longer, but is the only one");
        assert_eq!(greedy.each_ref().map(is_closed), [true, false, false]);
    }

    #[test]
    fn a_connection_is_idle_only_once_its_last_request_has_its_answer() {
        let registry = Registry::new(1);
        let member = entered(&registry, "10.0.0.1");
        let (first, second) = (member.begin().unwrap(), member.begin().unwrap());
        drop(first);
        assert!(enter(&registry, "127.0.0.1").is_pending(), "the second is in flight");
        drop(second);
        let _next = entered(&registry, "127.0.0.1");
        assert!(is_closed(&member));
    }

    #[test]
    fn a_connection_with_a_stream_takes_no_place() {
        let registry = Registry::new(1);
        let member = entered(&registry, "10.0.0.1");
        let _streaming = member.begin().unwrap();
        assert!(enter(&registry, "127.0.0.1").is_pending());
        member.leave();
        let _next = entered(&registry, "127.0.0.1");
        assert!(!is_closed(&member));
        drop(member);
        assert!(registry.open().peers.len() == 1, "its end frees no second place");
    }

    #[test]
    fn only_an_accept_that_lacks_a_resource_closes_an_idle_connection() {
        let registry = Registry::new(4);
        let idle = entered(&registry, "10.0.0.1");
        let note = |error: Errno| registry.note_accept_error(&io::Error::from(error));
        assert!(
            !note(Errno::CONNABORTED) && !note(Errno::CONNRESET),
            "the next is accepted at once"
        );
        assert!(note(Errno::PERM), "it may last, so the next waits");
        assert!(!is_closed(&idle));
        assert!(note(Errno::MFILE) && is_closed(&idle));
    }

    #[tokio::test]
    async fn where_all_are_busy_the_next_one_waits() {
        let registry = Registry::new(2);
        let members = [(); 2].map(|()| entered(&registry, "127.0.0.1"));
        let mut busy = members.each_ref().map(|member| member.begin());
        assert!(enter(&registry, "127.0.0.1").is_pending());
        let waiting = {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move { registry.enter("127.0.0.1:1".parse().unwrap()).await })
        };
        tokio::task::yield_now().await;
        busy[1] = None;
        let _entered = waiting.await.unwrap().unwrap();
        assert!(is_closed(&members[1]) && !is_closed(&members[0]));
    }

    #[test]
    fn one_address_never_has_all_connections() {
        let registry = Registry::new(32);
        let members: Vec<_> = (0..30).map(|_| entered(&registry, "10.0.0.1")).collect();
        let busy: Vec<_> = members.iter().map(|member| member.begin()).collect();
        assert!(matches!(enter(&registry, "10.0.0.1"), Poll::Ready(None)), "refused");
        let _other = entered(&registry, "10.0.0.2");
        drop(busy);
        let _own = entered(&registry, "10.0.0.1");
        assert!(is_closed(&members[0]), "its own longest idle one made room");

        let registry = Registry::new(32);
        let local: Vec<_> = (0..32).map(|_| entered(&registry, "127.0.0.1")).collect();
        assert_eq!(local.len(), 32, "all programs of this machine are one address");
    }
}
