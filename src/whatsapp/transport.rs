//! The HTTP client, shared by the Cloud API's client, the simulator's webhooks, and commands that call a server.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, retry};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How long an idle connection is kept. Servers close theirs after about a minute. A call on a connection that is just being
/// closed has an unknown outcome, so we close it first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the HTTP client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The cryptography provider supports no version of TLS.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The HTTP client rejects its settings.
    #[error("cannot set up the HTTP client")]
    Http(#[from] reqwest::Error),
}

/// An HTTP client that makes each call exactly once: it follows no redirects, does not retry and uses no proxy.
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

/// TLS with a fixed cryptography provider instead of the process's default, and with Mozilla's root certificates built in, so
/// that it works in container images without certificates.
pub(crate) fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
