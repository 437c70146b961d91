//! Encryption against a server that has a certificate of its own making.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use octopoid_store::Engine as _;
use octopoid_store_postgres::{OpenError, Options, Postgres};
use octopoid_testbed::postgres::Scratch;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Each connection of these tests is told apart by its name.
const NAME: &str = "octopoid-tls";
/// Longer than PostgreSQL needs to read its settings again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster with TLS. Its certificate is for `localhost`, not for the loopback address.
struct Encrypted {
    cluster: Scratch,
    client: Client,
    folder: TempDir,
}

impl Encrypted {
    /// A cluster, or `None` if the machine cannot make one and the test is to be skipped.
    async fn start() -> Option<Self> {
        let cluster = Scratch::for_tests()?;
        let folder = tempfile::tempdir().unwrap();
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let this = Self { cluster, client, folder };
        this.make_certificates();
        this.client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        this.client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        this.accepts("sslmode=require").await;
        Some(this)
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn self_signed(&self) -> PathBuf {
        self.folder.path().join("self-signed.pem")
    }

    /// Gives the cluster a certificate by an authority that nobody else knows.
    fn make_certificates(&self) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(self.authority(), authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        self.install(&certificate.pem(), &key.serialize_pem());
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.self_signed(), other.cert.pem()).unwrap();
    }

    /// Puts a certificate where PostgreSQL looks for it.
    fn install(&self, certificate: &str, key: &str) {
        let data = self.cluster.data_directory();
        let owner = data.metadata().unwrap();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            // Only its owner may read a key, and PostgreSQL does not run as root.
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
    }

    /// Waits until new settings are in force: they arrive as a signal, some time later.
    async fn accepts(&self, parameters: &str) {
        let trying = async {
            while self.open(parameters).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let accepted = tokio::time::timeout(PATIENCE, trying).await;
        assert!(accepted.is_ok(), "{parameters}: {:?}", self.open(parameters).await.err());
    }

    /// Opens an engine at `localhost` and has it connect.
    async fn open(&self, parameters: &str) -> Result<Postgres, String> {
        self.open_at("localhost", parameters).await
    }

    async fn open_at(&self, host: &str, parameters: &str) -> Result<Postgres, String> {
        let port = self.cluster.port();
        let url = format!(
            "postgres://postgres@{host}:{port}/postgres?application_name={NAME}&{parameters}"
        );
        let engine = Postgres::open(&url.parse().unwrap(), Options::default());
        let engine = engine.map_err(|error: OpenError| error.to_string())?;
        engine.write(Vec::new()).await.map_err(|error| error.to_string())?;
        Ok(engine)
    }

    /// Whether PostgreSQL says that the engine's connection is encrypted.
    async fn is_encrypted(&self, parameters: &str) -> bool {
        // The connections of engines that were dropped may still be ending.
        let name = format!("{NAME}-{}", parameters.replace(['=', '&'], "-"));
        let parameters = format!("{parameters}&application_name={name}");
        let _engine = self.open(&parameters).await.unwrap();
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = $1";
        self.client.query_one(sql, &[&name]).await.unwrap().get(0)
    }
}

fn trusting(mode: &str, file: &Path) -> String {
    format!("sslmode={mode}&sslrootcert={}", file.display())
}

#[tokio::test]
async fn connections_are_encrypted_as_sslmode_asks() {
    let Some(server) = Encrypted::start().await else { return };
    assert!(!server.is_encrypted("sslmode=disable").await);
    assert!(server.is_encrypted("sslmode=prefer").await);
    assert!(server.is_encrypted("sslmode=require").await);
}

#[tokio::test]
async fn certificates_are_checked_as_far_as_sslmode_asks() {
    let Some(server) = Encrypted::start().await else { return };
    let (known, unknown) = (server.authority(), server.self_signed());

    server.open(&trusting("verify-full", &known)).await.unwrap();
    // The name in the certificate is another one.
    let full = server.open_at("127.0.0.1", &trusting("verify-full", &known)).await;
    assert!(full.err().unwrap().contains("not valid for name"));
    server.open_at("127.0.0.1", &trusting("verify-ca", &known)).await.unwrap();

    // Neither another certificate nor the system's authorities vouch for this server.
    for mode in ["verify-ca", "verify-full"] {
        for trusted in [trusting(mode, &unknown), format!("sslmode={mode}")] {
            let error = server.open(&trusted).await.err().unwrap();
            assert!(error.contains("certificate"), "{trusted}: {error}");
        }
    }
    let nowhere = server.open(&trusting("verify-full", Path::new("/nowhere.pem"))).await;
    assert!(nowhere.err().unwrap().contains("cannot read /nowhere.pem"));
}

#[tokio::test]
async fn a_certificate_that_a_server_has_signed_itself_can_be_trusted_by_name() {
    let Some(server) = Encrypted::start().await else { return };
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    server.install(&own.cert.pem(), &own.signing_key.serialize_pem());
    let file = server.folder.path().join("own.pem");
    fs::write(&file, own.cert.pem()).unwrap();
    server.client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    server.accepts(&trusting("verify-full", &file)).await;
    server.open_at("127.0.0.1", &trusting("verify-ca", &file)).await.unwrap();
    let other = server.open(&trusting("verify-full", &server.authority())).await;
    assert!(other.err().unwrap().contains("certificate"));
}
