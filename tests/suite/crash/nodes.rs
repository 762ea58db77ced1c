//! Three nodes on a database: nodes are killed and paused, the server is stopped hard, and connections
//! break in the middle of a commit.

use super::harness::crashes::Nodes;
use super::harness::database::Server;
use super::harness::run;

const CRASHES: u64 = 25;

#[test]
fn nothing_is_lost_however_nodes_server_and_connections_fail() {
    let report = run(async {
        let server = Server::start().await;
        let mut nodes = Nodes::start(&server, 3).await;
        nodes.crash(CRASHES, 1, |_| ()).await;
        nodes.count().await
    });
    assert!(report.crashes() >= CRASHES, "{report}");
    assert!(report.counted.is_nothing(), "{report}");
}
