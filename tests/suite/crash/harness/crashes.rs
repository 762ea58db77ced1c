//! Crashes at random moments under load: of one node on a folder, or of several on a database whose
//! server and whose connections fail as well.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::process::Child;

use super::counted::{Counted, count};
use super::database::{On, Server};
use super::disk::Dice;
use super::gateway::Gateway;
use super::load::Tenant;
use super::proxy::{Fault, Proxy};
use super::server::{LEASE_S, Place, ask_root, kill, signal, terminate};

/// The places at which a process dies by its own hand.
const PLACES: &[&str] = &[
    "intake.before-commit",
    "intake.after-commit",
    "store.before-commit",
    "store.after-commit",
    "call.before",
    "call.after",
    "change.before-commit",
    "change.after-commit",
    "delivery.before-record",
    "delivery.after-record",
    "recover.attempt",
];
/// How many messages are sent around each fault, at least and at most.
const SENDS: (u64, u64) = (4, 24);

/// How much load is made at most for a commit to come by.
const LOADS_MAX: u32 = 8;
/// For how long a node is asked whether it takes work, before it is taken for one that does not.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// How often each fault was made, and what was wrong afterwards.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) messages: usize,
    pub(crate) counted: Counted,
}

impl Report {
    fn note(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn crashes(&self) -> u64 {
        self.faults.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, times) in &self.faults {
            writeln!(f, "  {fault:<34}{times:>8}")?;
        }
        writeln!(f, "  {:<34}{:>8}", "messages", self.messages)?;
        write!(f, "{}", self.counted)
    }
}

/// Load, until the gateway has had some number of calls or all were sent.
async fn until_some_moment(place: &Place, tenant: &Tenant, gateway: &Gateway, dice: &mut Dice) {
    let sends = SENDS.0 + dice.below(SENDS.1 - SENDS.0);
    let calls = *gateway.calls.borrow() + 1 + dice.below(sends);
    let mut called = gateway.calls.subscribe();
    tokio::select! {
        biased;
        _ = called.wait_for(|now| *now >= calls) => {}
        () = tenant.sends(place, u32::try_from(sends).unwrap()) => {}
    }
}

/// Crashes of one node on a folder. `told` hears of each.
pub(crate) async fn on_a_folder(crashes: u64, seed: u64, mut told: impl FnMut(u64)) -> Report {
    let place = Place::new();
    let gateway = Gateway::start(&place).await;
    let (tenant, mut child) = Tenant::new(&place, &gateway).await;
    let mut report = Report::default();
    for crash in 0..crashes {
        let mut dice = Dice::new(seed ^ crash.wrapping_mul(0x51af_d7ed_558c_cd01));
        let at = match dice.below(3) {
            0 => {
                let place = PLACES[usize::try_from(dice.below(PLACES.len() as u64)).unwrap()];
                Some(format!("{place}:{}", 1 + dice.below(16)))
            }
            _ => None,
        };
        let mut fault = "killed";
        if at.is_some() {
            kill(&mut child).await;
            match place.serve(at.as_deref()).await {
                Ok(served) => child = served,
                Err(_) => {
                    report.note("died at a place of its own");
                    child = place.serve(None).await.unwrap();
                    continue;
                }
            }
        } else if dice.below(6) == 0 {
            paused(&place, &tenant, &child, crash).await;
            fault = "paused, then killed";
        }
        let died = tokio::select! {
            biased;
            _ = child.wait() => true,
            () = until_some_moment(&place, &tenant, &gateway, &mut dice) => false,
        };
        kill(&mut child).await;
        report.note(if died { "died at a place of its own" } else { fault });
        child = place.serve(None).await.unwrap();
        told(crash + 1);
    }
    report.messages = tenant.book().requests.len();
    report.counted = count(&place, &tenant, &gateway, vec![child]).await;
    report
}

/// Stands still while it is asked, and answers once it goes on.
async fn paused(place: &Place, tenant: &Tenant, child: &Child, n: u64) {
    let name = format!("paused-{n}");
    let body = super::load::request(u32::try_from(n).unwrap());
    tenant.book().requests.insert(name.clone(), body);
    signal(child, "-STOP").await;
    let (taken, ()) = tokio::join!(tenant.send(place, &name), signal(child, "-CONT"));
    assert!(taken.unwrap(), "a node that goes on takes a message");
}

/// Several nodes on a database.
pub(crate) struct Nodes<'a> {
    place: Place,
    gateway: Gateway,
    tenant: Tenant,
    proxy: Proxy,
    database: On<'a>,
    children: Vec<Child>,
    report: Report,
}

impl<'a> Nodes<'a> {
    pub(crate) async fn start(server: &'a Server, nodes: usize) -> Nodes<'a> {
        Nodes::start_on(On::Own(server), nodes).await
    }

    pub(crate) async fn start_on(database: On<'a>, nodes: usize) -> Nodes<'a> {
        let proxy = Proxy::to(database.address()).await;
        let place = Place::on_database(database.url(proxy.address), nodes);
        let gateway = Gateway::start(&place).await;
        let (tenant, first) = Tenant::new(&place, &gateway).await;
        let mut children = vec![first];
        for node in 1..nodes {
            children.push(place.serve_node(node, None).await.unwrap());
        }
        let report = Report::default();
        Nodes { place, gateway, tenant, proxy, database, children, report }
    }

    /// Crashes at random. `told` hears of each.
    pub(crate) async fn crash(&mut self, crashes: u64, seed: u64, mut told: impl FnMut(u64)) {
        for crash in 0..crashes {
            let mut dice = Dice::new(seed ^ crash.wrapping_mul(0x51af_d7ed_558c_cd01));
            let node = usize::try_from(dice.below(self.children.len() as u64)).unwrap();
            match dice.below(10) {
                0..3 => self.kill(node, &mut dice).await,
                3 => self.pause_past_the_lease(node, &mut dice).await,
                4 => self.stop_the_server(&mut dice).await,
                5 => self.cut_connections(&mut dice).await,
                6 | 7 => {
                    self.at_a_commit(Fault::AnswerDropped, "answer of a commit dropped", &mut dice).await
                }
                8 => self.at_a_commit(Fault::CommitDropped, "commit dropped", &mut dice).await,
                _ => match dice.below(2) {
                    0 => self.at_a_commit(Fault::Reset, "connection reset at a commit", &mut dice).await,
                    _ => self.at_a_commit(Fault::Held, "answer of a commit held", &mut dice).await,
                },
            }
            self.revive().await;
            told(crash + 1);
        }
    }

    /// Starts all anew, and counts.
    pub(crate) async fn count(mut self) -> Report {
        self.proxy.forget();
        self.proxy.let_go();
        self.revive().await;
        for child in &mut self.children {
            // One that loses its lease just now ends otherwise.
            let _ = terminate(child).await;
        }
        self.children.clear();
        for node in 0..self.place.addresses().count() {
            self.children.push(self.place.serve_node(node, None).await.unwrap());
        }
        self.report.messages = self.tenant.book().requests.len();
        self.report.counted = count(&self.place, &self.tenant, &self.gateway, self.children).await;
        self.report
    }

    async fn some_moment(&self, dice: &mut Dice) {
        until_some_moment(&self.place, &self.tenant, &self.gateway, dice).await;
    }

    /// Starts the nodes anew that take no more work: they were killed, or their lease had ended.
    async fn revive(&mut self) {
        let addresses: Vec<_> = self.place.addresses().collect();
        for (node, address) in addresses.into_iter().enumerate() {
            let ready = tokio::time::timeout(READY_WITHIN, ask_root(address, "/readyz")).await;
            if !ready.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 200)) {
                kill(&mut self.children[node]).await;
                self.children[node] = self.serve(node).await;
            }
        }
    }

    async fn serve(&self, node: usize) -> Child {
        // A start may meet what was planned for another's commit.
        self.proxy.forget();
        self.place.serve_node(node, None).await.unwrap()
    }

    async fn kill(&mut self, node: usize, dice: &mut Dice) {
        self.some_moment(dice).await;
        kill(&mut self.children[node]).await;
        self.report.note("node killed");
        // The others go on meanwhile.
        self.some_moment(dice).await;
    }

    /// One node stands still until others have ended what it had; then it goes on, and must end.
    pub(crate) async fn pause_past_the_lease(&mut self, node: usize, dice: &mut Dice) {
        self.some_moment(dice).await;
        signal(&self.children[node], "-STOP").await;
        self.place.avoid(Some(node));
        let accepted: Vec<String> = self.tenant.accepted();
        self.database.waits(LEASE_S + 1).await;
        self.some_moment(dice).await;
        self.others_have_ended(&accepted).await;
        signal(&self.children[node], "-CONT").await;
        // It finds that its lease has ended, and ends.
        let _ = self.children[node].wait().await;
        self.place.avoid(None);
        self.report.note("node paused past its lease");
    }

    /// Waits until these messages have ended, of which the gateway is told by events.
    async fn others_have_ended(&self, accepted: &[String]) {
        loop {
            let live = self.place.list(&self.tenant.key, "/messages?ended=false").await;
            let waits = live.iter().any(|message| accepted.iter().any(|id| message["id"] == id.as_str()));
            if !waits {
                return;
            }
            self.gateway.told.notified().await;
        }
    }

    async fn stop_the_server(&mut self, dice: &mut Dice) {
        let Some(server) = self.database.own() else {
            // It is somebody else's, and goes on: what it would have cut is.
            return self.cut_connections(dice).await;
        };
        self.some_moment(dice).await;
        server.stop_hard();
        server.start_again();
        self.place.again.send_modify(|times| *times += 1);
        self.report.note("PostgreSQL stopped hard");
    }

    async fn cut_connections(&mut self, dice: &mut Dice) {
        self.some_moment(dice).await;
        self.proxy.cut_all();
        self.report.note("all connections cut");
    }

    pub(crate) async fn at_a_commit(&mut self, fault: Fault, name: &'static str, dice: &mut Dice) {
        let before = self.proxy.faults();
        self.proxy.plan(dice.below(24), fault);
        // With some load there is a commit that it meets; where there is no node left, there is none.
        for _ in 0..LOADS_MAX {
            tokio::select! {
                () = self.proxy.happened(before + 1) => break,
                () = self.some_moment(dice) => {}
            }
        }
        self.proxy.forget();
        if self.proxy.faults() == before {
            return;
        }
        if fault == Fault::Held {
            self.some_moment(dice).await;
            self.proxy.let_go();
        }
        self.place.again.send_modify(|times| *times += 1);
        self.report.note(name);
    }
}
