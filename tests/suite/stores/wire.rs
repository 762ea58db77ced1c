//! The way from one node to its PostgreSQL: it tells of each answer of the server's, and reads the
//! protocol as far as it must to make what a test names wait.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::time::Holds;
use crate::crash::harness::proxy::{is_about_encryption, next};

/// What only a transaction that writes changes asks for in its beginning.
const OF_A_CHANGE: &str = "pg_current_xact_id()::text, pg_backend_pid()";
/// What concerns a lease or a duty.
const OF_A_DUTY: [&str; 3] = ["UPDATE node SET lease_until", "INSERT INTO claim(", "DELETE FROM claim "];
/// What asks who else is alive, or what others did.
const OF_A_LOOK: [&str; 2] = ["FROM node WHERE ended_at IS NULL", "FROM generation WHERE changed"];
/// What takes messages over.
const OF_AN_ADOPTION: &str = "WITH left_behind AS";
pub(super) struct Wire {
    pub(super) port: u16,
    control: Arc<Control>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

struct Control {
    target: u16,
    held: Mutex<Option<Hold>>,
    moved: watch::Sender<u64>,
    /// Whether the node hears what others tell it.
    listens: watch::Sender<bool>,
}

struct Hold {
    what: Holds,
    passing: usize,
    /// Whether what waits goes on; else its connection is cut.
    waiting: Vec<oneshot::Sender<bool>>,
}

impl Wire {
    pub(super) async fn to(target: u16, moved: watch::Sender<u64>) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listens = watch::Sender::new(false);
        let control = Arc::new(Control { target, held: Mutex::default(), moved, listens });
        let task = tokio::spawn(accept(listener, Arc::clone(&control)));
        Wire { port, control, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }

    /// Waits until the node hears what others tell it. While the test's clock stands, nothing else makes it
    /// look.
    pub(super) fn until_listens(&self) -> impl Future<Output = ()> + use<> {
        let mut listens = self.control.listens.subscribe();
        async move { listens.wait_for(|listens| *listens).await.map(drop).unwrap() }
    }

    pub(super) fn hold(&self, what: Holds, passing: usize) {
        *self.control.held.lock().unwrap() = Some(Hold { what, passing, waiting: Vec::new() });
    }

    pub(super) fn is_held(&self) -> bool {
        self.control.held.lock().unwrap().as_ref().is_some_and(|held| !held.waiting.is_empty())
    }

    pub(super) fn end_hold(&self, goes_on: bool) {
        let held = self.control.held.lock().unwrap().take();
        for waiting in held.into_iter().flat_map(|held| held.waiting) {
            let _ = waiting.send(goes_on);
        }
    }
}

impl Control {
    /// Whether this waits: then what tells how it goes on.
    fn waits(&self, is: impl FnOnce(Holds) -> bool) -> Option<oneshot::Receiver<bool>> {
        let mut held = self.held.lock().unwrap();
        let held = held.as_mut().filter(|held| is(held.what))?;
        if held.passing > 0 {
            held.passing -= 1;
            return None;
        }
        let (tell, told) = oneshot::channel();
        held.waiting.push(tell);
        self.moved.send_modify(|times| *times = times.wrapping_add(1));
        Some(told)
    }
}

async fn accept(listener: TcpListener, control: Arc<Control>) {
    while let Ok((client, _)) = listener.accept().await {
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", control.target)).await else { return };
            let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let adopts = watch::Sender::new(false);
            let heard = adopts.subscribe();
            tokio::select! {
                _ = forth(from_client, to_server, &adopts, &control) => {}
                _ = back(from_server, to_client, heard, &control) => {}
            }
        });
    }
}

/// From the node to the server; ends where the connection does, or is cut.
async fn forth(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    adopts: &watch::Sender<bool>,
    control: &Control,
) -> std::io::Result<()> {
    let (mut bytes, mut begun) = (Vec::new(), false);
    loop {
        while let Some(message) = next(&mut bytes, begun) {
            if !begun && is_about_encryption(&message) {
                // There is none: what is encrypted could not be read.
                client.as_ref().writable().await?;
                client.as_ref().try_write(b"N")?;
                continue;
            }
            begun = true;
            let text = sql(&message);
            if let Some(told) = control.waits(|what| is_of(what, &text)) {
                tokio::select! {
                    goes_on = told => if goes_on != Ok(true) { return Ok(()) },
                    // A node that is killed meanwhile has never asked.
                    () = ended(&mut client, &mut bytes) => return Ok(()),
                }
            }
            if text.contains(OF_AN_ADOPTION) {
                adopts.send_replace(true);
            }
            server.write_all(&message).await?;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// Reads on until the connection ends.
async fn ended(client: &mut OwnedReadHalf, bytes: &mut Vec<u8>) {
    while client.read_buf(bytes).await.is_ok_and(|read| read > 0) {}
}

/// From the server to the node.
async fn back(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut adopts: watch::Receiver<bool>,
    control: &Control,
) -> std::io::Result<()> {
    let (mut bytes, mut has_adopted) = (Vec::new(), false);
    loop {
        if server.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        while let Some(message) = next(&mut bytes, true) {
            // `ReadyForQuery` outside a transaction: what this one took over is so now.
            has_adopted |= adopts.has_changed().unwrap_or(false) && *adopts.borrow_and_update();
            if has_adopted && message == [b'Z', 0, 0, 0, 5, b'I'] {
                has_adopted = false;
                if let Some(told) = control.waits(|what| matches!(what, Holds::WordOfAdoptions))
                    && told.await != Ok(true)
                {
                    return Ok(());
                }
            }
            client.write_all(&message).await?;
            if message[0] == b'C' && message[5..].starts_with(b"LISTEN") {
                control.listens.send_replace(true);
            }
        }
        control.moved.send_modify(|times| *times = times.wrapping_add(1));
    }
}

fn is_of(what: Holds, text: &str) -> bool {
    match what {
        Holds::All => true,
        Holds::Changes => text.contains(OF_A_CHANGE),
        Holds::Looks => OF_A_LOOK.iter().any(|words| text.contains(words)),
        Holds::Duties => OF_A_DUTY.iter().any(|words| text.contains(words)),
        Holds::WordOfAdoptions => false,
    }
}

/// The statements of a message; nothing where it holds none.
fn sql(message: &[u8]) -> String {
    match message {
        [b'Q' | b'P', _, _, _, _, text @ ..] => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}
