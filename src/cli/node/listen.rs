//! Listening, and serving the router until told to stop.

use std::io::{Error, ErrorKind, Result};

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::NodeError;

/// Takes the address.
pub(super) async fn bind(listen: &str) -> std::result::Result<TcpListener, NodeError> {
    TcpListener::bind(listen).await.map_err(|error| failed(listen, &error))
}

/// Why nothing can listen there, and what to do.
pub(super) fn failed(listen: &str, error: &Error) -> NodeError {
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            "another process uses the port; stop it, or choose another port with --listen".to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its own with --listen".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "this user may not; choose a port from 1024 upwards with --listen".to_owned()
        }
        _ => error.to_string(),
    };
    NodeError::Listen { listen: listen.to_owned(), why }
}

/// Serves until `stop`, then ends once every request under way is answered.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> JoinHandle<Result<()>> {
    // An answer is one small write: waiting for more would only delay it.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move { serving.await })
}
