//! The server that all runs of `octopoid up` share. One process serves, the one that holds the
//! lock. The others use its server, and wait for the lock: when the process ends, one of them serves
//! in its place, at the same address and from the same database.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    thread,
    time::Duration,
};

use octopoid_client::Client;
use octopoid_server::{Embedded, EmbeddedOptions};
use tokio::{net::TcpListener, sync::oneshot};

use super::folder::{Folder, Lock};
use crate::{
    clock::pause,
    failure::{Exit, Failure, Outcome},
};

/// The port that is tried first, which is that of `octopoid serve` too.
const PORT: u16 = 8787;

/// How many ports from there on are tried.
const PORTS: u16 = 100;

/// How long a server that is about to end, or to start, is waited for.
const CHANGE_MAX: Duration = Duration::from_secs(10);

/// How often is looked whether the server of another process answers.
const LOOK: Duration = Duration::from_millis(50);

/// How long an answer may take. Longer than under any load that one machine makes.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Where the server is, and how it is administered.
#[derive(Clone)]
pub(crate) struct Address {
    /// The address for clients on this machine.
    pub(crate) url: String,
    /// Where it listens.
    listen: SocketAddr,
    /// The administrator's token.
    pub(super) administrator: String,
}

/// The server, here or in another process.
pub(crate) struct Service {
    folder: Folder,
    address: Address,
    /// The server and the lock, if this process serves.
    here: Option<(Embedded, Lock)>,
}

impl Service {
    /// Serves, or joins the process that does. `listen` is the address that the user names.
    pub(crate) async fn start(folder: &Folder, listen: Option<SocketAddr>) -> Outcome<Self> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(lock) = folder.try_serve()? {
                // At the address of the last time, if it is free: clients may know it.
                let last = folder.read()?.listen;
                let listener = async {
                    match (listen, last) {
                        // Another address than of this machine is the user's to name each time.
                        (None, Some(last)) if last.ip().is_loopback() => {
                            match TcpListener::bind(last).await {
                                Ok(listener) => Ok(listener),
                                Err(_) => bind(None).await,
                            }
                        }
                        (listen, _) => bind(listen).await,
                    }
                };
                let (server, address) = serve(folder, listener).await?;
                let folder = folder.clone();
                return Ok(Self { folder, address, here: Some((server, lock)) });
            }
            if let Some(address) = other(folder).await? {
                check_listen(listen, &address)?;
                return Ok(Self { folder: folder.clone(), address, here: None });
            }
            if waited >= CHANGE_MAX {
                return Err(unresponsive(folder));
            }
            pause(LOOK).await;
            waited += LOOK;
        }
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether this process serves.
    pub(crate) fn is_here(&self) -> bool {
        self.here.is_some()
    }

    /// Sees to it that there is a server. If the process that serves ends, this one takes its place,
    /// and says so to `tell`. An error is the reason why it cannot.
    pub(crate) async fn keep(&mut self, tell: impl Fn(&str)) -> Outcome<Infallible> {
        if self.here.is_none() {
            let lock = wait_to_serve(self.folder.clone()).await?;
            tell("the octopoid up that served has ended: taking its place");
            let listener = bind_again(self.address.listen);
            let (server, address) = serve(&self.folder, listener).await?;
            tell(&format!("this octopoid up serves now: {}/", address.url));
            (self.address, self.here) = (address, Some((server, lock)));
        }
        std::future::pending().await
    }

    /// Stops the server if it is here. Another process that waits may then serve.
    pub(crate) async fn stop(self) -> Outcome {
        let Some((server, lock)) = self.here else { return Ok(()) };
        let stopped = server.shutdown().await;
        drop(lock);
        Ok(stopped?)
    }
}

/// Serves. The lock must be held.
async fn serve(
    folder: &Folder,
    listener: impl Future<Output = Outcome<TcpListener>>,
) -> Outcome<(Embedded, Address)> {
    // The address of an earlier server, which another program may have by now, must not be used.
    let fresh = token();
    let administrator = folder.change(|record| {
        (record.address, record.listen) = (None, None);
        record.administrator.get_or_insert(fresh).clone()
    })?;
    let options = EmbeddedOptions {
        database: folder.database(),
        administrator: administrator.clone(),
        in_use_wait: CHANGE_MAX,
    };
    let server = Embedded::start(listener.await?, &options).await?;
    let listen = server.address();
    let address = Address { url: url(listen), listen, administrator };
    folder.change(|record| {
        (record.address, record.listen) = (Some(address.url.clone()), Some(listen));
    })?;
    Ok((server, address))
}

/// Listens where the user says, else at the first free port.
async fn bind(listen: Option<SocketAddr>) -> Outcome<TcpListener> {
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let Some(address) = listen else {
        for port in PORT..PORT + PORTS {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                Err(error) if is_taken(&error) => {}
                bound => return bound.map_err(|error| cannot_listen((port, &error))),
            }
        }
        let text = format!("all ports from {PORT} to {} are taken", PORT + PORTS - 1);
        return Err(Failure::other(text).remedy("name an address: --listen 127.0.0.1:PORT"));
    };
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::other(format!("cannot listen on {address}: {error}"));
        if is_taken(&error) {
            failure.remedy("another program has this address: leave --listen out, or name another")
        } else {
            failure
        }
    })
}

/// Listens where another process did that has just ended.
async fn bind_again(address: SocketAddr) -> Outcome<TcpListener> {
    let mut waited = Duration::ZERO;
    loop {
        match bind(Some(address)).await {
            Err(_) if waited < CHANGE_MAX => {}
            bound => return bound,
        }
        pause(LOOK).await;
        waited += LOOK;
    }
}

fn cannot_listen((port, error): (u16, &io::Error)) -> Failure {
    Failure::other(format!("cannot listen on {}:{port}: {error}", Ipv4Addr::LOCALHOST))
}

/// The server of another process, once it answers.
async fn other(folder: &Folder) -> Outcome<Option<Address>> {
    let record = folder.read()?;
    let (Some(url), Some(listen), Some(administrator)) =
        (record.address, record.listen, record.administrator)
    else {
        return Ok(None);
    };
    let client = Client::new(&url)?;
    let answer = tokio::time::timeout(ANSWER_MAX, client.health()).await;
    let is_healthy = matches!(answer, Ok(Ok(health)) if health.status == "healthy");
    Ok(is_healthy.then_some(Address { url, listen, administrator }))
}

/// A server that runs listens where it listens.
fn check_listen(listen: Option<SocketAddr>, running: &Address) -> Outcome {
    match listen {
        Some(listen) if listen != running.listen => {
            let text = format!("octopoid up already serves on {}, not {listen}", running.listen);
            Err(Failure::new(Exit::Conflict, text)
                .remedy("leave --listen out to join it, or stop it and start again"))
        }
        _ => Ok(()),
    }
}

fn unresponsive(folder: &Folder) -> Failure {
    let process = folder.server_process();
    let by = process.as_ref().map(|process| format!(" (process {process})")).unwrap_or_default();
    let seconds = CHANGE_MAX.as_secs();
    let text = format!("another octopoid up{by} is to serve, but did not answer in {seconds} s");
    Failure::new(Exit::Unreachable, text).remedy("stop it, and start octopoid up again")
}

/// Waits for the lock on a thread of its own, which ends with the process at the latest.
async fn wait_to_serve(folder: Folder) -> Outcome<Lock> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(folder.wait_to_serve()));
    let locked = receiver.await.unwrap_or_else(|_| Err(io::Error::other("the thread has ended")));
    locked.map_err(|error| Failure::other(format!("cannot wait for the server's lock: {error}")))
}

/// The address for clients on this machine.
fn url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// A token of 256 random bits.
pub(crate) fn token() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("a system that has sockets has random numbers");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{token, url};

    #[test]
    fn clients_on_this_machine_call_an_address_of_it() {
        for (listen, expected) in [
            ("127.0.0.1:8787", "http://127.0.0.1:8787"),
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("192.168.1.5:1", "http://192.168.1.5:1"),
        ] {
            assert_eq!(url(listen.parse().unwrap()), expected);
        }
    }

    #[test]
    fn tokens_are_long_and_differ() {
        assert_eq!(token().len(), 64);
        assert_ne!(token(), token());
    }
}
