//! What callers ask of the nodes and gateways send them, again and again until it is taken.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use spine::engine::front::Front as _;
use spine::model::{Id, Instant, kinds};
use spine::providers::signature::{self, Secret};

use super::super::callers::{Answer, Request, ask};
use super::super::core::{Entry, T0, lock};
use super::super::history::{What, Whose};
use super::super::run::Run;
use super::super::scene::SECRET;
use super::{Asked, CALLER_MS, Turn, World};

impl World {
    pub(super) fn request(&mut self, no: u32, what: What, node: usize) {
        let message = match &what {
            What::Send(_) => Some(no),
            What::Again { of } | What::Other { of } | What::Cancel { of } | What::Confirm { of, .. } => {
                Some(*of)
            }
            _ => None,
        };
        let send = match message.and_then(|of| self.history.step(of)).map(|step| &step.what) {
            Some(What::Send(send)) => Some(send.clone()),
            _ => None,
        };
        if message.is_some() && send.is_none() {
            // What it is about was left out of the history.
            return;
        }
        let whose = match (&send, &what) {
            (Some(send), _) => send.whose,
            (None, What::Advance { .. }) => Whose::Test,
            _ => Whose::Live,
        };
        let Some(scope) = self.scene.id(whose) else { return };
        if let (What::Send(_), Some(send)) = (&what, &send) {
            self.gateway.script(no, send.script.clone());
        }
        let request = Request {
            no,
            what,
            message,
            send,
            id: None,
            scope,
            contacts: self.scene.contacts.clone(),
            at: self.core.now(),
        };
        self.asked.push(Asked { request, node, tries: 0, run: None, answers: Vec::new(), done: false });
        self.ask(self.asked.len() - 1);
    }

    /// The message of a number, as its caller knows it.
    pub(super) fn message(&self, no: u32) -> Option<Id<kinds::Message>> {
        self.asked.iter().filter(|asked| asked.request.message == Some(no)).find_map(|asked| {
            asked.answers.iter().find_map(|answer| match answer {
                Answer::Done(id) => *id,
                _ => None,
            })
        })
    }

    pub(super) fn ask_again(&mut self, place: usize) {
        let asked = &mut self.asked[place];
        asked.run = None;
        asked.node += 1;
        let after = 300 + self.core.random(|random| random.between(0, 600));
        self.core.after(after, Entry::Turn(Turn::Ask(place)));
    }

    /// A run that takes requests, from this node on.
    pub(super) fn taking(&self, node: usize) -> Option<&Run> {
        let count = self.nodes.len();
        let runs = (0..count).filter_map(|more| self.nodes[(node + more) % count]);
        runs.filter_map(|no| self.runs.iter().find(|run| run.no == no))
            .find(|run| !run.stopping && run.program().is_some())
    }

    pub(super) fn ask(&mut self, place: usize) {
        if self.asked[place].done || self.asked[place].run.is_some() {
            return;
        }
        let id = self.asked[place].request.message.and_then(|no| self.message(no));
        let needs_id = matches!(self.asked[place].request.what, What::Cancel { .. } | What::Confirm { .. });
        if needs_id && id.is_none() {
            // Its caller has to know the message first; or there never will be one.
            let refused = self.asked.iter().any(|asked| {
                asked.request.message == self.asked[place].request.message
                    && asked.done
                    && asked.request.id.is_none()
            });
            if refused {
                self.asked[place].done = true;
            } else {
                self.core.after(700, Entry::Turn(Turn::Ask(place)));
            }
            return;
        }
        let Some(run) = self.taking(self.asked[place].node) else {
            self.core.after(500, Entry::Turn(Turn::Ask(place)));
            return;
        };
        let (no, name, program) = (run.no, run.name, run.program());
        let asked = &mut self.asked[place];
        asked.request.id = id;
        asked.tries += 1;
        asked.run = Some(no);
        let (request, tries, answers) = (asked.request.clone(), asked.tries, Arc::clone(&self.answers));
        self.core.tell(|| {
            let again = if tries > 1 { format!(", for the {tries}. time") } else { String::new() };
            format!("{name} is asked for {}{again}: {}", request.no, super::super::story::asked(&request))
        });
        let Some(run) = self.find(no) else { return };
        run.spawn(async move {
            if let Some(program) = program {
                let answer = ask(&program, &request, Instant::from_ms(T0)).await;
                lock(&answers).push((place, tries, answer));
            }
        });
        self.core.after(CALLER_MS, Entry::Turn(Turn::GiveUp(place, tries)));
        self.drive(no);
    }

    pub(super) fn take_answers(&mut self) {
        loop {
            let came = std::mem::take(&mut *lock(&self.answers));
            if came.is_empty() {
                return;
            }
            for (place, tries, answer) in came {
                let asked = &mut self.asked[place];
                let no = asked.request.no;
                self.core.tell(|| format!("answer to {no}: {answer:?}"));
                let is_last = asked.tries == tries;
                if matches!(answer, Answer::Again(_)) {
                    if is_last && !asked.done && asked.run.is_some() {
                        self.ask_again(place);
                    }
                } else {
                    asked.answers.push(answer);
                    asked.done = true;
                    asked.run = None;
                }
            }
        }
    }

    pub(super) fn receipt(&mut self, place: usize) {
        let Some(due) = self.gateway.receipt(place).filter(|due| !due.taken) else { return };
        let Some(run) = self.taking(due.node) else {
            self.core.after(500, Entry::Turn(Turn::Receipt(place)));
            return;
        };
        let (no, name, program, gateway) = (run.no, run.name, run.program(), Arc::clone(&self.gateway));
        self.core.tell(|| format!("{name} is sent {}", due.body));
        let body = due.body.to_string().into_bytes();
        let mut headers = HeaderMap::new();
        let secret = Secret::parse(SECRET).expect("a secret");
        signature::sign(&mut headers, &[secret], &format!("cb_{place}"), self.core.now(), &body);
        run.spawn(async move {
            let Some(program) = program else { return };
            match program.engine.callback(due.provider, headers, body).await {
                // What is not understood is not sent again.
                Ok(()) | Err(spine::engine::front::Refusal::Invalid(_) | spine::engine::front::Refusal::NotFound) => {
                    gateway.receipt_taken(place);
                }
                Err(_) => {}
            }
        });
        // A gateway sends again until it is told 200.
        self.core.after(5_000, Entry::Turn(Turn::Receipt(place)));
        self.drive(no);
    }
}
