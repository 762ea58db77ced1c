//! The world: nodes, a store, those who call and who are called, and one clock.

mod asking;
mod lives;

use std::sync::Arc;

use spine::engine::front::Front as _;
use spine::model::{ScopeId, Span};
use spine::store::StoreError;
use spine::store::memory::{Ask, Fate, MemoryStore, Options, Step as StoreStep, Unfinished, Work};
use spine::store::seal::MasterKey;

use super::callers::{Answer, Answers, Request};
use super::core::{Core, Entry, RunNo};
use super::gateway::Gateway;
use super::history::{History, What, Whose};
use super::mutants::Mutant;
use super::occurred::Lived;
use super::random::{Guessable, mixed};
use super::run::{LEASE, Run, Start};
use super::scene::Scene;
use super::weather::{Weather, lost};

/// What the world itself does at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// A step of the history, by its place.
    Step(usize),
    /// A request is made, by its place.
    Ask(usize),
    /// A caller gives up waiting for this try of a request.
    GiveUp(usize, u32),
    /// The gateway sends a receipt, by its place.
    Receipt(usize),
    /// A run goes on.
    Resume(RunNo),
    /// A node of this place is started, if it does not run.
    Start(usize),
    /// A run that has not stopped by now is killed.
    Insist(RunNo),
    /// Whoever watches over the nodes looks at them.
    Watch,
    /// From now on nothing goes wrong.
    Calm,
}

/// The names of the nodes.
pub(crate) const NAMES: [&str; 3] = ["red", "green", "blue"];
/// How long a node may take no requests before it is started anew, in looks of whoever watches.
const USELESS_LOOKS: u32 = 15;
/// The least time until a node that died comes back.
const BACK_MIN_MS: i64 = 20;
/// How long a caller waits.
const CALLER_MS: i64 = 6_000;
/// When nothing goes wrong any more.
const CALM_MS: i64 = 45_000;
/// By when everything must have come to its end.
const END_MS: i64 = 40 * 60_000;
/// How often the world moves the test clock on, a day and more each time, once all else is done.
const ADVANCES_MAX: u32 = 6;
/// More than any history takes: one that goes round in a circle is ended.
const ENTRIES_MAX: u64 = 400_000;

/// A request and what became of it.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The node that is asked next.
    node: usize,
    tries: u32,
    /// The run that was asked last.
    run: Option<RunNo>,
    /// All definite answers that came, whichever try they were to.
    pub(crate) answers: Vec<Answer>,
    done: bool,
}

/// The world.
pub(crate) struct World {
    pub(crate) history: History,
    pub(crate) core: Arc<Core>,
    pub(crate) store: MemoryStore,
    pub(crate) weather: Arc<Weather>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) scene: Scene,
    runs: Vec<Run>,
    /// The run of each node, while it runs.
    nodes: Vec<Option<RunNo>>,
    started: usize,
    pub(crate) asked: Vec<Asked>,
    answers: Answers,
    calm: bool,
    /// How often the world itself has moved the test clock on.
    advanced: u32,
    /// Runs that were paused, and from when to when.
    pub(crate) pauses: Vec<(RunNo, i64, i64)>,
    /// All runs, dead or alive.
    lives: Vec<Lived>,
    cut_short: usize,
    mutant: Option<Mutant>,
}

impl World {
    pub(crate) fn new(history: History, mutant: Option<Mutant>, told: bool) -> World {
        let core = Core::new(history.seed, told);
        let weather = Weather::new(Arc::clone(&core), history.delay_ms, history.duties_fail);
        let store = MemoryStore::new(Options {
            schedule: Arc::clone(&weather) as _,
            random: Arc::new(Guessable::new(history.seed ^ 1)),
            master_key: MasterKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
                .expect("a key"),
            is_shared: history.is_shared,
            sabotage: match mutant {
                Some(Mutant::Store(sabotage)) => Some(sabotage),
                _ => None,
            },
        });
        let scene = Scene::set_up(&store, &history);
        let gateway = Gateway::new(Arc::clone(&core), store.clone());
        let nodes = vec![None; history.nodes];
        World {
            core,
            store,
            weather,
            gateway,
            scene,
            runs: Vec::new(),
            nodes,
            started: 0,
            asked: Vec::new(),
            answers: Answers::default(),
            calm: false,
            advanced: 0,
            pauses: Vec::new(),
            lives: Vec::new(),
            cut_short: 0,
            mutant,
            history,
        }
    }

    /// Lets the history happen. What it was still waiting for, where it did not come to its end.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for (place, step) in self.history.steps.iter().enumerate() {
            self.core.after(step.at_ms, Entry::Turn(Turn::Step(place)));
        }
        self.core.after(CALM_MS, Entry::Turn(Turn::Calm));
        self.core.after(1_000, Entry::Turn(Turn::Watch));
        let mut entries = 0;
        while let Some(entry) = self.core.pop() {
            entries += 1;
            if entries > ENTRIES_MAX {
                return Err("it goes round in a circle".to_owned());
            }
            if let Some(end) = self.happen(entry) {
                return end;
            }
            self.take_answers();
        }
        Err("nothing is left to happen".to_owned())
    }

    fn happen(&mut self, entry: Entry) -> Option<Result<(), String>> {
        match entry {
            Entry::Wake(run, waker) => {
                waker.wake();
                self.drive(run);
            }
            Entry::Store { run, fate, work, .. } => {
                work(fate);
                self.drive(run);
            }
            Entry::Wire(run, arrive) => {
                arrive();
                self.drive(run);
            }
            Entry::Turn(turn) => return self.turn(turn),
        }
        None
    }

    fn turn(&mut self, turn: Turn) -> Option<Result<(), String>> {
        match turn {
            Turn::Step(place) => self.step(place),
            Turn::Ask(place) => self.ask(place),
            Turn::GiveUp(place, tries) => {
                let asked = &self.asked[place];
                if !asked.done && asked.tries == tries && asked.run.is_some() {
                    self.core.tell(|| format!("the caller of {} waits no longer", asked.request.no));
                    self.ask_again(place);
                }
            }
            Turn::Receipt(place) => self.receipt(place),
            Turn::Resume(run) => {
                if let Some(found) = self.find(run) {
                    found.paused = false;
                    let name = found.name;
                    self.core.tell(|| format!("{name} goes on"));
                    self.drive(run);
                }
            }
            Turn::Start(node) => {
                if self.nodes[node].is_none() {
                    self.start(node);
                }
            }
            Turn::Insist(run) => {
                if self.find(run).is_some() {
                    self.kill(run, 500);
                }
            }
            Turn::Watch => return self.watch(),
            Turn::Calm => self.be_calm(),
        }
        None
    }

    fn find(&mut self, run: RunNo) -> Option<&mut Run> {
        self.runs.iter_mut().find(|found| found.no == run)
    }

    fn drive(&mut self, run: RunNo) {
        if let Some(run) = self.runs.iter().find(|found| found.no == run) {
            run.drive();
        }
    }

    fn start(&mut self, node: usize) {
        let (no, name) = (self.started, NAMES[node]);
        self.started += 1;
        let handle = self.store.node(name, LEASE);
        self.weather.name(handle.id(), no);
        self.core.tell(|| format!("{name} starts as node {}", handle.id()));
        let run = Run::start(Start {
            core: Arc::clone(&self.core),
            gateway: Arc::clone(&self.gateway),
            node: handle,
            no,
            name,
            seed: mixed(self.history.seed ^ (no as u64 + 2)),
            ahead_ms: match self.mutant {
                Some(Mutant::RunsAhead) => 5_000,
                _ => self.history.ahead_ms.get(node).copied().unwrap_or_default(),
            },
        });
        self.runs.push(run);
        let from_ms = self.core.elapsed_ms();
        self.lives.push(Lived { run: no, node, from_ms, told_to_stop_ms: None, until_ms: None });
        self.nodes[node] = Some(no);
        self.drive(no);
    }

    fn node_of(&self, run: RunNo) -> Option<usize> {
        self.nodes.iter().position(|found| *found == Some(run))
    }

    fn kill(&mut self, run: RunNo, back_after_ms: i64) {
        let Some(place) = self.runs.iter().position(|found| found.no == run) else { return };
        let dead = self.runs.remove(place);
        self.ends(run);
        self.core.tell(|| format!("{} dies", dead.name));
        drop(dead);
        if let Some(node) = self.node_of(run) {
            self.nodes[node] = None;
            // The ends of its connections are at the other side by then.
            let back = if self.calm { back_after_ms.min(500) } else { back_after_ms }.max(BACK_MIN_MS);
            self.core.after(back, Entry::Turn(Turn::Start(node)));
        }
        if !self.history.is_shared {
            // A store of one node dies with it: what was not durable is gone, or was durable just so.
            for (_, step, work) in self.core.take_store_work(|of| of == run) {
                if step == StoreStep::Asked(Ask::Commit) && self.core.random(|random| random.percent(50)) {
                    work(Fate::Done);
                }
            }
        }
        self.lose_requests(run);
    }

    /// Whoever waited for a run that is gone asks another.
    fn lose_requests(&mut self, run: RunNo) {
        for place in 0..self.asked.len() {
            if !self.asked[place].done && self.asked[place].run == Some(run) {
                self.ask_again(place);
            }
        }
    }

    fn step(&mut self, place: usize) {
        let step = self.history.steps[place].clone();
        let node = step.node % self.nodes.len();
        let run = self.nodes[node];
        let name = NAMES[node];
        match step.what.clone() {
            What::Pause { for_ms } => {
                let now = self.core.elapsed_ms();
                if let Some(run) = run
                    && let Some(found) = self.find(run)
                    && !found.paused
                {
                    found.paused = true;
                    self.core.tell(|| format!("{name} is paused for {for_ms} ms"));
                    self.pauses.push((run, now, now + for_ms));
                    self.core.after(for_ms, Entry::Turn(Turn::Resume(run)));
                }
            }
            What::Kill { back_after_ms } => {
                if let Some(run) = run {
                    self.kill(run, back_after_ms);
                }
            }
            What::Stop { back_after_ms } => {
                if let Some(run) = run
                    && let Some(found) = self.find(run)
                    && !found.stopping
                {
                    found.stop();
                    let now = self.core.elapsed_ms();
                    if let Some(life) = self.life(run) {
                        life.told_to_stop_ms = Some(now);
                    }
                    self.core.tell(|| format!("{name} is told to stop"));
                    self.core.after(40_000, Entry::Turn(Turn::Insist(run)));
                    self.core.after(back_after_ms, Entry::Turn(Turn::Start(node)));
                    self.drive(run);
                    self.stopped();
                }
            }
            What::Fault(fault) => {
                if let Some(run) = run {
                    self.core.tell(|| format!("the next commit of {name} meets {fault:?}"));
                    self.weather.fault(run, fault);
                }
            }
            What::Slow { for_ms } => {
                self.core.tell(|| format!("the store is slow for {for_ms} ms"));
                self.weather.slow_until(self.core.now().plus(Span::from_ms(for_ms)));
            }
            What::StoreCrash => self.store_crash(),
            What::Receiver { endpoint, mood } => {
                self.core.tell(|| format!("receiver {endpoint} from now on: {mood:?}"));
                self.gateway.mood(endpoint, mood);
            }
            what => {
                self.request(step.no, what, node);
            }
        }
    }

    fn store_crash(&mut self) {
        self.core.tell(|| "the store stops hard, and is there again".to_owned());
        self.store.crash();
        let broken = || Fate::Refused(StoreError::Unavailable { detail: "the store went away".to_owned() });
        let pending: Vec<(RunNo, StoreStep, Work)> = self.core.take_store_work(|_| true);
        for (_, step, work) in pending {
            self.cut_short +=
                usize::from(matches!(step, StoreStep::Asked(Ask::Commit) | StoreStep::Answered(Ask::Commit)));
            match step {
                StoreStep::Answered(Ask::Commit) => {
                    let known = self.core.random(|random| random.percent(50));
                    work(if known { Fate::Done } else { Fate::Lost(lost()) });
                }
                StoreStep::Asked(_) | StoreStep::Answered(_) => work(broken()),
                StoreStep::News => {}
            }
        }
        let all: Vec<RunNo> = self.runs.iter().map(|run| run.no).collect();
        for run in all {
            self.drive(run);
        }
    }

    fn stopped(&mut self) {
        let ended: Vec<RunNo> =
            self.runs.iter().filter(|run| run.ended().is_some()).map(|run| run.no).collect();
        for run in ended {
            let failed = self.find(run).and_then(|run| run.ended()).is_some_and(|ended| ended.is_err());
            if failed {
                self.kill(run, 1_000);
                continue;
            }
            let Some(place) = self.runs.iter().position(|found| found.no == run) else { continue };
            let gone = self.runs.remove(place);
            self.ends(run);
            self.core.tell(|| format!("{} has stopped", gone.name));
            drop(gone);
            if let Some(node) = self.node_of(run) {
                self.nodes[node] = None;
                self.core.after(if self.calm { 0 } else { 500 }, Entry::Turn(Turn::Start(node)));
            }
            self.lose_requests(run);
        }
    }

    /// Looks after the nodes, as whoever runs them would, and whether all is done.
    fn watch(&mut self) -> Option<Result<(), String>> {
        self.stopped();
        for run in &mut self.runs {
            let ready = run.paused || run.stopping || run.program().is_none_or(|it| it.engine.is_ready());
            run.useless = if ready { 0 } else { run.useless + 1 };
        }
        let useless = self.runs.iter().filter(|run| run.useless > USELESS_LOOKS);
        let useless: Vec<RunNo> = useless.map(|run| run.no).collect();
        for run in useless {
            self.core.tell(|| "it takes no more work, and is started anew".to_owned());
            self.kill(run, 300);
        }
        let elapsed = self.core.elapsed_ms();
        if self.calm {
            let open = self.open();
            if open.is_empty() {
                return Some(Ok(()));
            }
            if elapsed > END_MS {
                return Some(Err(open.join(", ")));
            }
            self.advance();
        }
        let pause = if elapsed > CALM_MS + 120_000 { 20_000 } else { 1_000 };
        self.core.after(pause, Entry::Turn(Turn::Watch));
        None
    }

    /// The horizons of a test scope are a day away, and a window may open only the day after: its clock
    /// is moved there.
    fn advance(&mut self) {
        let Some(scope) = self.scene.id(Whose::Test) else { return };
        let others_done = self.asked.iter().all(|asked| asked.done);
        if self.advanced < ADVANCES_MAX && others_done && self.scene_waits(scope) {
            self.request(900 + self.advanced, What::Advance { by_s: 26 * 3_600 }, 0);
            self.advanced += 1;
        }
    }

    /// Whether the clock of a test scope is waited for: by what has not ended, or by what comes late.
    fn scene_waits(&self, scope: ScopeId) -> bool {
        let open = self.store.unfinished(scope);
        open.live > 0 || open.unsettled > 0
    }

    /// What is still to come.
    fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        for asked in self.asked.iter().filter(|asked| !asked.done) {
            open.push(format!("request {} has no answer", asked.request.no));
        }
        if self.gateway.receipts_open() > 0 {
            open.push(format!("{} receipts were not taken", self.gateway.receipts_open()));
        }
        for (whose, scope) in &self.scene.scopes {
            let Unfinished { live, unsettled, deliveries, endpoints_behind, signals } =
                self.store.unfinished(scope.id());
            for (count, what) in [
                (live, "messages have not ended"),
                (unsettled, "messages have ended and are not settled"),
                (deliveries, "deliveries are to be tried again"),
                (endpoints_behind, "endpoints are behind"),
                (signals, "signals wait"),
            ] {
                if count > 0 {
                    open.push(format!("{count} {what} ({whose:?})"));
                }
            }
        }
        open
    }

    fn be_calm(&mut self) {
        self.core.tell(|| "from now on nothing goes wrong".to_owned());
        self.calm = true;
        self.weather.calm();
        self.gateway.calm();
        let paused: Vec<RunNo> = self.runs.iter().filter(|run| run.paused).map(|run| run.no).collect();
        for run in paused {
            self.turn(Turn::Resume(run));
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_none() {
                self.start(node);
            }
        }
    }

    /// Ends all that runs, so that the rows alone are left, and those who look at them are answered at
    /// once.
    pub(crate) fn end(&mut self) {
        self.runs.clear();
        self.weather.forget();
    }
}
