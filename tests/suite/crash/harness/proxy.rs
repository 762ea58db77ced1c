//! A proxy before PostgreSQL that reads its protocol as far as it must to know a COMMIT and its answer,
//! and does to it what a network does at its worst.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What is done to a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It is carried out, its answer never comes, and the connection is cut.
    AnswerDropped,
    /// It never comes to the server, and the connection is cut.
    CommitDropped,
    /// The client's connection is reset, before the server has it.
    Reset,
    /// It is carried out, and nothing more goes either way until it is let go.
    Held,
}

/// What a test decides, for all connections.
struct Control {
    target: SocketAddr,
    /// How many commits pass, and what then happens to the next.
    plan: Mutex<VecDeque<(u64, Fault)>>,
    commits: AtomicU64,
    /// How often something was done.
    done: watch::Sender<u64>,
    /// Raised when what is held is let go.
    let_go: watch::Sender<u64>,
    /// Cancelled to cut all connections there are.
    cut: Mutex<CancellationToken>,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    control: Arc<Control>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = Arc::new(Control {
            target,
            plan: Mutex::default(),
            commits: AtomicU64::new(0),
            done: watch::Sender::new(0),
            let_go: watch::Sender::new(0),
            cut: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&control)));
        Proxy { address, control, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }

    /// After so many commits more, this happens to the next.
    pub(crate) fn plan(&self, passing: u64, fault: Fault) {
        self.control.plan.lock().unwrap().push_back((passing, fault));
    }

    /// Forgets what was planned and has not happened.
    pub(crate) fn forget(&self) {
        self.control.plan.lock().unwrap().clear();
    }

    /// How many commits came by.
    pub(crate) fn commits(&self) -> u64 {
        self.control.commits.load(Ordering::Relaxed)
    }

    /// Waits until so many faults have happened.
    pub(crate) async fn happened(&self, times: u64) {
        self.control.done.subscribe().wait_for(|done| *done >= times).await.unwrap();
    }

    pub(crate) fn faults(&self) -> u64 {
        *self.control.done.borrow()
    }

    /// Lets go what is held.
    pub(crate) fn let_go(&self) {
        self.control.let_go.send_modify(|times| *times += 1);
    }

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        std::mem::take(&mut *self.control.cut.lock().unwrap()).cancel();
    }
}

async fn accept(listener: TcpListener, control: Arc<Control>) {
    while let Ok((client, _)) = listener.accept().await {
        let (control, cut) = (Arc::clone(&control), control.cut.lock().unwrap().clone());
        tokio::spawn(async move {
            // Where the server does not answer, the client's connection ends as well.
            let Ok(server) = TcpStream::connect(control.target).await else { return };
            let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
            tokio::select! {
                () = cut.cancelled() => {}
                _ = carry(client, server, &control) => {}
            }
        });
    }
}

/// What the answers of one connection are to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    /// Dropped up to the end of the commit; then all is over.
    Drop,
    /// Kept back until this is let go for the given time.
    Hold(u64),
}

async fn carry(client: TcpStream, server: TcpStream, control: &Control) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answers = watch::Sender::new(Answers::Pass);
    let heard = answers.subscribe();
    let back = back(from_server, to_client, heard, control);
    tokio::pin!(back);
    tokio::select! {
        resets = forth(from_client, to_server, &answers, control) => {
            if resets? {
                return Ok(());
            }
            // The client said good-bye, or its commit is to be carried out all the same.
            if *answers.borrow() == Answers::Drop { back.await.map(drop) } else { Ok(()) }
        }
        ended = &mut back => ended.map(drop),
    }
}

/// From the client to the server. `true` where the connection is reset.
async fn forth(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    answers: &watch::Sender<Answers>,
    control: &Control,
) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    let mut begun = false;
    loop {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(false);
        }
        while let Some(message) = next(&mut bytes, begun) {
            if !begun {
                if is_about_encryption(&message) {
                    // There is none: what is encrypted could not be read.
                    client.as_ref().writable().await?;
                    client.as_ref().try_write(b"N")?;
                    continue;
                }
                begun = true;
                server.write_all(&message).await?;
                continue;
            }
            if !is_commit(&message) {
                server.write_all(&message).await?;
                continue;
            }
            control.commits.fetch_add(1, Ordering::Relaxed);
            match control.fault() {
                None => server.write_all(&message).await?,
                Some(Fault::CommitDropped) => {
                    control.note();
                    return Ok(true);
                }
                Some(Fault::Reset) => {
                    control.note();
                    socket_resets(&client)?;
                    return Ok(true);
                }
                Some(Fault::AnswerDropped) => {
                    answers.send_replace(Answers::Drop);
                    server.write_all(&message).await?;
                }
                Some(Fault::Held) => {
                    let until = *control.let_go.borrow() + 1;
                    answers.send_replace(Answers::Hold(until));
                    server.write_all(&message).await?;
                    control.let_go.subscribe().wait_for(|times| *times >= until).await.unwrap();
                }
            }
        }
    }
}

/// What is sent when this closes is a reset, not an end.
fn socket_resets(client: &OwnedReadHalf) -> std::io::Result<()> {
    client.as_ref().set_zero_linger()
}

/// From the server to the client.
async fn back(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut answers: watch::Receiver<Answers>,
    control: &Control,
) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    loop {
        if server.read_buf(&mut bytes).await? == 0 {
            return Ok(false);
        }
        while let Some(message) = next(&mut bytes, true) {
            let now = *answers.borrow_and_update();
            match now {
                Answers::Pass => client.write_all(&message).await?,
                // `ReadyForQuery`: the commit is done.
                Answers::Drop if message[0] == b'Z' => {
                    control.note();
                    return Ok(true);
                }
                Answers::Drop => {}
                Answers::Hold(until) => {
                    if *control.let_go.borrow() < until && message[0] == b'Z' {
                        control.note();
                    }
                    if message[0] == b'Z' {
                        control.let_go.subscribe().wait_for(|times| *times >= until).await.unwrap();
                    }
                    client.write_all(&message).await?;
                }
            }
        }
    }
}

impl Control {
    fn fault(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let (passing, fault) = plan.front_mut()?;
        if *passing > 0 {
            *passing -= 1;
            return None;
        }
        let fault = *fault;
        plan.pop_front();
        Some(fault)
    }

    fn note(&self) {
        self.done.send_modify(|done| *done += 1);
    }
}

/// Takes a whole message. The first of a connection has no letter before its length.
pub(crate) fn next(bytes: &mut Vec<u8>, begun: bool) -> Option<Vec<u8>> {
    let letter = usize::from(begun);
    let length: [u8; 4] = bytes.get(letter..letter + 4)?.try_into().ok()?;
    let whole = letter + usize::try_from(u32::from_be_bytes(length)).ok()?;
    if bytes.len() < whole {
        return None;
    }
    let rest = bytes.split_off(whole);
    Some(std::mem::replace(bytes, rest))
}

/// The requests for TLS and for GSSAPI.
pub(crate) fn is_about_encryption(message: &[u8]) -> bool {
    let code = message.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
    matches!(code, Some(80_877_103 | 80_877_104))
}

/// A simple query whose last statement is COMMIT.
fn is_commit(message: &[u8]) -> bool {
    let text = match message {
        [b'Q', _, _, _, _, text @ ..] => String::from_utf8_lossy(text),
        _ => return false,
    };
    text.trim_end_matches(['\0', ';', ' ', '\n']).to_ascii_uppercase().ends_with("COMMIT")
}
