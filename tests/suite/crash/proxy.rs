//! The proxy of these tests does to a real PostgreSQL's commits what it says.

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::harness::database::Server;
use super::harness::proxy::{Fault, Proxy};
use super::harness::run;

/// A transaction that adds a number: whether its commit was answered.
async fn adds(through: &mut PgConnection, number: i64) -> bool {
    through.execute("BEGIN").await.unwrap();
    sqlx::query("INSERT INTO numbers VALUES ($1)").bind(number).execute(&mut *through).await.unwrap();
    through.execute(sqlx::raw_sql("COMMIT")).await.is_ok()
}

#[test]
fn a_commit_is_answered_or_carried_out_or_neither() {
    run(async {
        let server = Server::start().await;
        let proxy = Proxy::to(server.address).await;
        let direct = server.url(server.address);
        let mut direct = PgConnection::connect(&direct).await.unwrap();
        direct.execute("CREATE SCHEMA IF NOT EXISTS mine; CREATE TABLE mine.numbers (n bigint); ALTER ROLE CURRENT_USER SET search_path TO mine").await.unwrap();
        let connect = async || PgConnection::connect(&server.url(proxy.address)).await.unwrap();
        assert!(adds(&mut connect().await, 0).await);
        let mut wanted = vec![0];
        for (number, fault, is_there) in
            [(1, Fault::AnswerDropped, true), (2, Fault::CommitDropped, false), (3, Fault::Reset, false)]
        {
            let mut conn = connect().await;
            proxy.plan(1, fault);
            assert!(adds(&mut conn, 10 * number).await, "one passes");
            assert!(!adds(&mut conn, number).await, "{fault:?} is an answer");
            wanted.push(10 * number);
            if is_there {
                wanted.push(number);
            }
        }
        assert_eq!((proxy.faults(), proxy.commits()), (3, 7));

        // Held: it is done, and nobody hears of it yet.
        let mut conn = connect().await;
        proxy.plan(0, Fault::Held);
        let held = tokio::spawn(async move { adds(&mut conn, 4).await });
        proxy.happened(4).await;
        wanted.push(4);
        let rows = direct.fetch_all("SELECT n FROM mine.numbers ORDER BY n").await.unwrap();
        let found: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert!(!held.is_finished());
        proxy.let_go();
        assert!(held.await.unwrap());

        // The server dies hard and comes back; what was committed is there.
        server.stop_hard();
        assert!(direct.execute("SELECT 1").await.is_err());
        server.start_again();
        let mut conn = connect().await;
        let rows = conn.fetch_all("SELECT n FROM numbers").await.unwrap();
        assert_eq!(rows.len(), wanted.len());
        proxy.cut_all();
        assert!(conn.execute("SELECT 1").await.is_err());
    });
}
