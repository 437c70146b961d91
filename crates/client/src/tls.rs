//! TLS, where the address of the server asks for it.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

/// Trusts the certificates that the system does. They are read only if they are needed.
pub(crate) fn config(base: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    if base.starts_with("https:") {
        // Without any, each connection fails, and says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that are enabled")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
