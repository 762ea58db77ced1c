//! TLS of outgoing calls: rustls on ring, trusting the roots that we bring and those of the host.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// Always usable: a host without a store of its own still has the roots that we bring.
pub(crate) fn configuration() -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // What cannot be read of the host's store is left out: a broken file there must not stop us.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(ring::default_provider());
    // Others in this process (the database's driver) may ask for the default one.
    let _ = ring::default_provider().install_default();
    let versions = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]);
    let mut configuration = match versions {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        // Not reached: ring knows both versions. The defaults are then the same two.
        Err(_) => ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
    };
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    configuration
}
