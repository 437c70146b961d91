//! A server behind TLS.

use std::{sync::Arc, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::program::{World, finish, wait};

/// Starts a proxy that speaks TLS and passes on what it is sent, as long as the test runs. Returns
/// its port, and the certificate of the authority that has signed its own.
fn proxy(server: String) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || wait(pass_on(listener, config, server)));
    (port, authority.pem())
}

async fn pass_on(listener: std::net::TcpListener, config: ServerConfig, server: String) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        // A client that does not trust the certificate leaves.
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut onward = TcpStream::connect(&server).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    }
}

#[test]
fn a_server_behind_tls_is_called_if_its_certificate_is_trusted() {
    let world = World::new();
    let (port, authority) = proxy(world.url().replace("http://", ""));
    world.write("authority.pem", &authority);
    let trusted = world.home().join("authority.pem");
    let call = |host: &str| {
        let mut command = world.command("add Work -q");
        command.env("OCTOPOID_SERVER", format!("https://{host}:{port}"));
        finish(command.env("SSL_CERT_FILE", &trusted))
    };
    let ended = call("localhost");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // The certificate is for the name only.
    let ended = call("127.0.0.1");
    assert_eq!(ended.code, Some(7), "{}", ended.stdout);
    assert!(ended.stderr.contains("certificate"), "{}", ended.stderr);
}
