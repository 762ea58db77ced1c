//! Three nodes on a database: nodes are killed and paused, the server is stopped hard, and connections
//! break in the middle of a commit.

use super::harness::crashes::Nodes;
use super::harness::database::{Named, On, Server};
use super::harness::run;
use crate::postgres::cluster::cluster;

const CRASHES: u64 = 25;
const FEW: u64 = 4;

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

/// The same on a server that somebody names: it goes on, and everything else fails.
#[test]
fn nothing_is_lost_on_a_server_that_is_not_the_runs_own() {
    let report = run(async {
        let named = Named::at(&cluster().admin_url()).await;
        let mut nodes = Nodes::start_on(On::Named(&named), 2).await;
        nodes.crash(FEW, 5, |_| ()).await;
        let report = nodes.count().await;
        named.gone().await;
        report
    });
    assert!(report.crashes() >= FEW, "{report}");
    assert!(report.counted.is_nothing(), "{report}");
}
