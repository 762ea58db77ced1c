//! What a scope's rows say.

use crate::engine;
use crate::model::{Instant, Span};
use crate::store::{Finding, Found, Installation, Late, ScopeHealth, ScopeRow, Severity, StoreError};

/// From how late on something is late: a server looks each half minute at the latest.
const GRACE_MS: i64 = 60_000;
/// About how many messages are replayed where not all are.
const SAMPLE: u32 = 200;
/// From how many events on an endpoint is far behind.
const BEHIND_MAX: u64 = 100_000;

/// Looks at a scope; how many messages were checked.
pub(super) async fn look(
    installation: &dyn Installation,
    row: &ScopeRow,
    now: Instant,
    deep: bool,
    findings: &mut Vec<Finding>,
) -> u64 {
    let place = format!("{} ({}), scope {}", row.tenant_name, row.environment.word(), row.id);
    let mut told = Told { place, findings };
    match read(installation, row, now, deep, &mut told).await {
        Ok(checked) => checked,
        // One scope that cannot be read hides no other.
        Err(error) => {
            told.put(
                Severity::Error,
                "unreadable",
                error.to_string(),
                "as it says; rows that are damaged are restored from a backup",
            );
            0
        }
    }
}

async fn read(
    installation: &dyn Installation,
    row: &ScopeRow,
    now: Instant,
    deep: bool,
    told: &mut Told<'_>,
) -> Result<u64, StoreError> {
    let Some(health) = installation.health(row.id, now, GRACE_MS).await? else { return Ok(0) };
    told.health(&health);
    let Some(scope) = installation.scope(row.id).await? else { return Ok(0) };
    for (provider, state) in engine::health_of_providers(&scope, now).await? {
        told.put(
            Severity::Warning,
            "breaker-open",
            format!("the breaker of `{provider}` is {state}"),
            "traffic goes round it, or waits; look at the provider, and reset the breaker by hand once it is well",
        );
    }
    let verified = match deep {
        true => engine::verify(&scope).await?,
        false => engine::verify_some(&scope, SAMPLE).await?,
    };
    for fault in verified.faults {
        let message = fault.message.map_or_else(|| "a dropped message".to_owned(), |id| id.to_string());
        told.put(
            Severity::Error,
            "audit-broken",
            format!("message {message}, transition {}: {}", fault.seq, fault.what),
            "rows were changed by something else than spine, or are damaged: run `spine audit verify`, and \
             compare with a backup",
        );
    }
    Ok(verified.messages + verified.dropped)
}

struct Told<'a> {
    place: String,
    findings: &'a mut Vec<Finding>,
}

impl Told<'_> {
    fn put(&mut self, severity: Severity, name: &'static str, message: String, help: &str) {
        let (place, help) = (self.place.clone(), help.to_owned());
        self.findings.push(Finding { severity, name, place, message, help });
    }

    fn found(&mut self, severity: Severity, name: &'static str, found: &Found, what: &str, help: &str) {
        if found.count > 0 {
            let examples: Vec<String> = found.examples.iter().map(ToString::to_string).collect();
            let more = if found.count > examples.len() as u64 { ", …" } else { "" };
            let message = format!("{} {what}: {}{more}", messages(found.count), examples.join(", "));
            self.put(severity, name, message, help);
        }
    }

    fn late(&mut self, name: &'static str, late: Late, what: &str, help: &str) {
        if late.count > 0 {
            let by = Span::from_ms(late.by_ms);
            self.put(Severity::Warning, name, format!("{} {what}, by up to {by}", late.count), help);
        }
    }

    fn health(&mut self, health: &ScopeHealth) {
        let report = "report it with the output of `spine audit verify`: no program of ours writes such rows";
        let (error, note) = (Severity::Error, Severity::Note);
        self.found(error, "two-states", &health.both, "both on the way and ended", report);
        self.found(error, "no-state", &health.neither, "neither on the way nor ended", report);
        self.found(
            error,
            "stuck",
            &health.stuck,
            "without a time at which to go on, and with no call that is open and no receipt to wait for",
            "cancel them (`POST /messages/{id}/cancel`), and report it",
        );
        if health.without_message > 0 {
            self.put(
                error,
                "orphaned-rows",
                format!("{} rows of no message", health.without_message),
                report,
            );
        }
        self.found(
            note,
            "unfinished-call",
            &health.unfinished,
            "ended while a call was open whose answer never came",
            "whether the provider sent it is unknown: ask the provider if it matters",
        );
        let running = "is a server running, and does it keep up? Look at its log, at the processor and the disk; \
                       where it was stopped, start it";
        self.late("overdue-timers", health.overdue, "messages were due and were not looked at", running);
        self.late("late-deliveries", health.late_deliveries, "deliveries to webhooks are late", running);
        self.late(
            "waiting-signals",
            health.signals,
            "receipts and requests wait for the owner of their message",
            running,
        );
        if health.orphaned > 0 {
            self.put(
                Severity::Warning,
                "orphaned-messages",
                format!("{} messages of nodes that have ended were adopted by nobody", health.orphaned),
                "is a node running? One that runs adopts them within seconds; look at its log",
            );
        }
        if health.dead_letters > 0 {
            self.put(
                note,
                "dead-letters",
                format!("{} events were not delivered after all tries", health.dead_letters),
                "repair the endpoint, then replay them (`POST /dead_letters/{id}/replay`)",
            );
        }
        if let Some((endpoint, behind)) = health.behind.filter(|(_, behind)| *behind > BEHIND_MAX) {
            self.put(
                Severity::Warning,
                "endpoint-behind",
                format!("{endpoint} has {behind} events yet to get"),
                "the receiver answers too slowly for what is sent: answer 2xx at once and work later, or raise \
                 `webhooks.first_tries_max`",
            );
        }
    }
}

fn messages(count: u64) -> String {
    if count == 1 { "1 message is".to_owned() } else { format!("{count} messages are") }
}
