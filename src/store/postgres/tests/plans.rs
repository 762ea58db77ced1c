//! How the one statement of a batch is planned: a plan is made once, often while the tables are empty. And
//! how the attempts of a message are found among many others.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::*;
use crate::model::ScopeId;
use crate::store::postgres::connect::As;
use crate::store::postgres::parts::{PARTS, part};
use crate::store::postgres::plans::{ANEW, SETTINGS};
use crate::store::postgres::statement::Tables;
use crate::store::read::attempts::{ATTEMPT_OF_MESSAGE, attempts_from};

async fn plan(conn: &mut PgConnection, text: &str) -> String {
    let values = prepare(conn, text).await;
    let plan = explain(conn, &values).await;
    sqlx::raw_sql("DEALLOCATE q").execute(&mut *conn).await.unwrap();
    plan
}

/// Prepares `q`; gives values for it.
async fn prepare(conn: &mut PgConnection, text: &str) -> String {
    // `$4::int8[]`: what each array is, behind scope, position and node.
    let mut types = vec!["int8".to_owned(); 3];
    for number in 4.. {
        let mark = format!("${number}::");
        let Some((_, rest)) = text.split_once(&mark) else { break };
        types.push(format!("{}[]", rest.split_once('[').unwrap().0));
    }
    let sql = format!("PREPARE q ({}) AS {text}", types.join(", "));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await.unwrap();
    vec!["NULL"; types.len()].join(", ")
}

async fn explain(conn: &mut PgConnection, values: &str) -> String {
    let sql = format!("EXPLAIN EXECUTE q ({values})");
    let lines = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *conn).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_batch_changes_is_found_by_its_keys_whatever_the_tables_hold() {
    let place = InDatabase::default();
    open(place.options().await).await.unwrap().close().await.unwrap();
    let mut conn = place.database().await.connect().await;
    let begin = format!("{}{SETTINGS}", As::Engine(ScopeId(1)).begin());
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut conn).await.unwrap();
    let by_keys = |sql: &str| sql.contains("{a1}");
    let mut looked_at = 0;
    for (part, of) in PARTS.iter().enumerate() {
        let counts = of.counted.as_ref().is_some_and(|counted| by_keys(counted.count));
        if !by_keys(of.sql) && !counts {
            continue;
        }
        let mut tables = Tables::new(&PARTS);
        tables.row(part, 0);
        let plan = plan(&mut conn, &tables.text(1 << part)).await;
        // A loop compares each row of the batch with each that is there.
        assert!(!plan.contains("Nested Loop") && !plan.contains("Seq Scan"), "{}\n{plan}", of.sql);
        assert!(plan.contains("Index Cond") && plan.contains("= ANY ("), "{}\n{plan}", of.sql);
        looked_at += 1;
    }
    assert_eq!(looked_at, 9, "parts that look for rows");
}

/// A table that stood empty is planned for as one: its rows are all looked through, which is as good as any way
/// then. So plans are not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_made_while_nothing_was_under_way_is_made_anew() {
    let place = InDatabase::default();
    open(place.options().await).await.unwrap().close().await.unwrap();
    let database = place.database().await;
    // Which would plan anew too, at its time.
    database.run("ALTER TABLE spine.live SET (autovacuum_enabled = off)").await;
    database.run("VACUUM spine.live").await;
    let mut conn = database.connect().await;
    let begin = || AssertSqlSafe(format!("{}{SETTINGS}", As::Engine(ScopeId(1)).begin()));
    sqlx::raw_sql(begin()).execute(&mut conn).await.unwrap();
    let mut tables = Tables::new(&PARTS);
    tables.row(part::LIVE_END, 0);
    let values = prepare(&mut conn, &tables.text(1 << part::LIVE_END)).await;
    let empty = explain(&mut conn, &values).await;
    sqlx::raw_sql("COMMIT").execute(&mut conn).await.unwrap();
    let rows = "INSERT INTO spine.live (scope, n, owner, status, version, state) \
        SELECT 1, n, 1, 0, 1, '' FROM generate_series(1, 20000) AS n";
    database.run(rows).await;
    sqlx::raw_sql(begin()).execute(&mut conn).await.unwrap();
    let by_keys =
        |plan: &str| plan.lines().any(|line| line.contains("Index Cond") && line.contains("= ANY ("));
    assert!(!by_keys(&empty), "{empty}");
    sqlx::raw_sql(ANEW).execute(&mut conn).await.unwrap();
    let anew = explain(&mut conn, &values).await;
    assert!(by_keys(&anew), "{anew}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_attempts_of_a_message_are_read_without_those_of_others() {
    let place = InDatabase::default();
    open(place.options().await).await.unwrap().close().await.unwrap();
    let mut conn = place.database().await.connect().await;
    let rows = "INSERT INTO spine.attempt (scope, n, message, id, provider, channel, at, address, doc) \
        SELECT 1, n, n, gen_random_uuid(), 'gateway', 0, 0, gen_random_uuid(), '' \
        FROM generate_series(1, 20000) AS n; \
        INSERT INTO spine.outcome (scope, n, message, attempt, outcome, provider, at) \
        SELECT 1, n, n, id, 0, 'gateway', 0 FROM spine.attempt";
    place.database().await.run(rows).await;
    sqlx::raw_sql(AssertSqlSafe(As::Api(ScopeId(1)).begin())).execute(&mut conn).await.unwrap();
    sqlx::raw_sql("SET LOCAL plan_cache_mode = force_generic_plan").execute(&mut conn).await.unwrap();
    // Before anybody has counted the rows, and after.
    for counted in [false, true] {
        if counted {
            place.database().await.run("ANALYZE spine.attempt, spine.outcome").await;
        }
        let of_one = format!("{} WHERE a.message = $1", attempts_from(ATTEMPT_OF_MESSAGE));
        let to_one =
            format!("{} WHERE a.address = $1 ORDER BY a.n DESC LIMIT 100", attempts_from(ATTEMPT_OF_MESSAGE));
        for (text, key, found_by) in [(of_one, "int8", "message = "), (to_one, "uuid", "address = ")] {
            let text = text.replace("CROSS JOIN", "JOIN");
            let sql = format!("PREPARE q ({key}) AS {text}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
            let lines = sqlx::raw_sql("EXPLAIN EXECUTE q (NULL)").fetch_all(&mut conn).await.unwrap();
            sqlx::raw_sql("DEALLOCATE q").execute(&mut conn).await.unwrap();
            let plan: String = lines.iter().map(|line| line.get::<String, _>(0) + "\n").collect();
            for (table, key) in [("attempt a", found_by), ("outcome o", "message = ")] {
                let read = plan.split(&format!("on {table} ")).nth(1).expect("the table is read");
                let by = read.lines().find(|line| line.contains("Index Cond")).expect("by an index");
                assert!(by.contains(key), "{table}, counted: {counted}\n{text}\n{plan}");
            }
        }
    }
}
