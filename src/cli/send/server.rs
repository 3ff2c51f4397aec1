//! The server that a list is sent through.

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::cli::failure::Failure;
use crate::config::Secret;

/// A server, and the right to use it.
pub(super) struct Server {
    url: Url,
    token: Secret,
}

impl Server {
    /// The server at a URL, for the holder of a token.
    pub(super) fn new(url: &str, token: Secret) -> Result<Self, Failure> {
        let wrong = || Failure::wrong_call(format!("{url:?} is not the URL of a server, such as https://example.com"));
        let mut url = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(wrong());
        }
        // What is joined to it then lies below its path.
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        // A header can hold nothing else, and the token itself must not be shown.
        HeaderValue::from_str(token.expose()).map_err(|_| Failure::wrong_call("the API token is malformed"))?;
        Ok(Self { url, token })
    }

    /// Where lists are posted, with these parameters.
    pub(super) fn sends(&self, parameters: &[(&str, String)]) -> Result<Url, Failure> {
        let mut url = self.url.join("sends")?;
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url)
    }

    /// Where sockets are opened.
    pub(super) fn socket(&self) -> Result<Url, Failure> {
        let mut url = self.url.join("graphql/ws")?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| Failure::failed("the server's URL has no WebSocket"))?;
        Ok(url)
    }

    /// The credentials of a request.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }
}
