//! A way to the server that is cut where a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A lone COMMIT, as the client sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Where the next commit is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    Not = 0,
    /// The server never hears of it.
    BeforeIt = 1,
    /// It stands, and the client does not hear so.
    BeforeItsAnswer = 2,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    cut: Arc<AtomicU8>,
    up: CancellationToken,
}

impl Proxy {
    /// In front of the server at this port.
    pub(super) async fn before(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        Proxy::on(listener, own, port)
    }

    /// Again at the port of one that was down.
    pub(super) async fn again(own: u16, port: u16) -> Proxy {
        Proxy::on(TcpListener::bind(("127.0.0.1", own)).await.unwrap(), own, port)
    }

    fn on(listener: TcpListener, own: u16, port: u16) -> Proxy {
        let (cut, up) = (Arc::new(AtomicU8::new(0)), CancellationToken::new());
        let (cuts, ends) = (Arc::clone(&cut), up.clone());
        tokio::spawn(async move {
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = ends.cancelled() => return,
                };
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&cuts), ends.clone()));
            }
        });
        Proxy { port: own, cut, up }
    }

    /// The next commit is cut there.
    pub(super) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether a commit was cut since.
    pub(super) fn has_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::Not as u8
    }

    /// Cuts every connection, and takes none.
    pub(super) fn down(&self) {
        self.up.cancel();
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Arc<AtomicU8>, ends: CancellationToken) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            () = ends.cancelled() => return,
            read = from_client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let cuts = asked[..count].ends_with(COMMIT);
                let now = if cuts { cut.swap(0, Ordering::SeqCst) } else { 0 };
                if now == Cut::BeforeIt as u8 {
                    return;
                }
                to_server.write_all(&asked[..count]).await.unwrap();
                if now == Cut::BeforeItsAnswer as u8 {
                    // The answer says that it stands; it goes no further.
                    let _ = from_server.read(&mut answered).await;
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if to_client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
