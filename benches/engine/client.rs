//! A caller over one connection that stays open. As small as can be: it shares the cores with what
//! it measures.

use std::net::SocketAddr;

use serde_json::Value;
use spine::api::BASE_PATH;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Client {
    socket: TcpStream,
    key: String,
    out: Vec<u8>,
    back: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr, key: &str) -> Client {
        let socket = TcpStream::connect(server).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Client { socket, key: key.to_owned(), out: Vec::new(), back: vec![0; 16 * 1024] }
    }

    /// A change under an idempotency key of its own; the body of the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send("POST", path, &fresh_key(), body.to_string().as_bytes()).await;
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    pub(crate) async fn delete(&mut self, path: &str) {
        let (status, answer) = self.send("DELETE", path, &fresh_key(), b"").await;
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&answer));
    }

    /// Sends a request; gives status and body of the answer.
    pub(crate) async fn send(&mut self, method: &str, path: &str, key: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.out.clear();
        let head = format!(
            "{method} {BASE_PATH}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        self.out.extend(head.as_bytes());
        self.out.extend(body);
        self.socket.write_all(&self.out).await.unwrap();
        let mut have = 0;
        loop {
            let read = self.socket.read(&mut self.back[have..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            have += read;
            if let Some((status, from, to)) = whole(&self.back[..have]) {
                if to <= have {
                    return (status, self.back[from..to].to_vec());
                }
                self.back.resize(to.max(self.back.len()), 0);
            }
        }
    }
}

/// The status of an answer, and where its body begins and ends.
fn whole(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let status = head[9..12].parse().unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    Some((status, end, end + length.unwrap_or(0)))
}

fn fresh_key() -> String {
    format!("bench-{:x}", crate::place::fresh())
}
