//! How HTTP calls leave: one way for the client and for the simulator's webhooks.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, retry};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// Connections idle for longer are not used again. Servers close theirs after a minute or so; a call that is written into
/// a connection just being closed has an unknown outcome, so it pays to be the first to let go.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The cryptography offers no version of TLS.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The HTTP client refuses its settings.
    #[error("cannot set up the HTTP client")]
    Http(#[from] reqwest::Error),
}

/// An HTTP client that does what it is told once: it follows no redirect, repeats nothing and asks no proxy.
pub(crate) fn client(connect_timeout: Duration, call_timeout: Duration) -> Result<Client, TransportError> {
    let builder = ClientBuilder::new()
        .tls_backend_preconfigured(tls()?)
        .no_proxy()
        .redirect(Policy::none())
        .retry(retry::never())
        .connect_timeout(connect_timeout)
        .timeout(call_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT);
    Ok(builder.build()?)
}

/// TLS with the cryptography named here, not with whatever the process installed, and with Mozilla's roots built in: it
/// works in an image without certificates.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
