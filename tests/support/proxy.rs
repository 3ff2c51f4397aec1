//! A proxy in front of PostgreSQL that counts statements and can be interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Url;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy in front of a PostgreSQL server.
pub(crate) struct Proxy {
    /// The URL of the database through this proxy.
    pub(crate) url: String,
    statements: Arc<AtomicU64>,
    whole: watch::Sender<bool>,
}

/// The code of a client's request for TLS.
const TLS_REQUEST: u32 = 80_877_103;
/// The types of the messages that execute a statement: `Execute` and `Query`.
const STATEMENTS: [u8; 2] = *b"EQ";

impl Proxy {
    /// A proxy in front of a database.
    pub(crate) async fn before(database_url: &str) -> Self {
        let mut url = Url::parse(database_url).unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (statements, whole) = (Arc::default(), watch::Sender::new(true));
        tokio::spawn(listen(listener, server, Arc::clone(&statements), whole.subscribe()));
        Self { url: url.into(), statements, whole }
    }

    /// How many statements were executed.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Breaks all connections, including new ones.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Works again.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn listen(
    listener: TcpListener,
    server: (String, u16),
    statements: Arc<AtomicU64>,
    whole: watch::Receiver<bool>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, statements, mut whole) = (server.clone(), Arc::clone(&statements), whole.clone());
        tokio::spawn(async move {
            if !*whole.borrow_and_update() {
                return;
            }
            tokio::select! {
                _ = pass(client, server, statements) => {}
                _ = whole.wait_for(|whole| !whole) => {}
            }
        });
    }
}

async fn pass(mut client: TcpStream, server: (String, u16), statements: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    // Refuse TLS, so that messages can be counted.
    let mut first = first_message(&mut from_client).await?;
    while first.get(4..8) == Some(&TLS_REQUEST.to_be_bytes()[..]) {
        to_client.write_all(b"N").await?;
        first = first_message(&mut from_client).await?;
    }
    to_server.write_all(&first).await?;
    tokio::select! {
        passed = count(&mut from_client, &mut to_server, &statements) => passed,
        passed = tokio::io::copy(&mut from_server, &mut to_client) => passed.map(drop),
    }
}

/// The first messages have a length and no type.
async fn first_message(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(length as usize, 0);
    from.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// Every other has a type and a length.
async fn count(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    statements: &AtomicU64,
) -> std::io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let mut message = vec![kind];
        let length = from.read_u32().await?;
        message.extend(length.to_be_bytes());
        message.resize(length as usize + 1, 0);
        from.read_exact(&mut message[5..]).await?;
        if STATEMENTS.contains(&kind) {
            statements.fetch_add(1, Ordering::Relaxed);
        }
        to.write_all(&message).await?;
    }
}
