//! The power goes, at very many moments of one run: nothing that was acknowledged is lost, and nothing
//! is half there.

use super::harness::cuts::{Plan, Recording, Syncing};
use super::harness::run;

/// Messages of the run that is remembered.
const MESSAGES: u32 = 80;
const CUTS: u64 = 204;

/// Seen to fail with `synchronous=NORMAL`, by the test below.
#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let table = run(async {
        let recording = Recording::make(Syncing::Full, MESSAGES).await;
        recording.cuts(Plan { cuts: CUTS, seed: 1, asked_each: 17 }, |_| ()).await
    });
    let sum = table.sum();
    assert_eq!((sum.lost, sum.otherwise, sum.faults), (0, 0, 0), "{table}");
    assert!(sum.cuts == CUTS && sum.acknowledged > CUTS * 15, "{table}");
}

/// The same run on a store that syncs less loses what was acknowledged: so the cuts do cut.
#[test]
fn a_store_that_syncs_less_is_found_out() {
    let table = run(async {
        let recording = Recording::make(Syncing::Normal, MESSAGES / 2).await;
        recording.cuts(Plan { cuts: 60, seed: 1, asked_each: 60 }, |_| ()).await
    });
    assert!(table.sum().cuts_with_loss > 0, "{table}");
}

/// A checkpoint in two parts: the sync of the second fails, and with it what the first has written may
/// be lost, which the second, made again, would not write again. So none is made again, and the log stays
/// where it is. Seen to fail with a store that took no notice.
#[test]
fn a_sync_that_fails_loses_nothing_that_was_acknowledged() {
    let table = run(async {
        let recording = Recording::with_a_failed_checkpoint().await;
        recording.cuts_at_the_end(24).await
    });
    let sum = table.sum();
    assert_eq!((sum.lost, sum.otherwise, sum.faults), (0, 0, 0), "{table}");
    assert!(sum.acknowledged > 24 * 60, "{table}");
}
