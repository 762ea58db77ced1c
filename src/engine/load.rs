//! A message read back from the store, as it was when it left memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::desk::{CONTACTS_MAX, Desk};
use super::doc::{AttemptDoc, Clear, Personal, State, outcome_place, read_clear, read_personal};
use super::policies::Plan;
use super::records::{ContactRecord, read};
use super::running::{Attempt, Info, Running, person, scripted};
use crate::language::facts_text::FactValue;
use crate::language::script::Scripts;
use crate::machine::StageId;
use crate::machine::known::Known;
use crate::model::shapes::Addresses;
use crate::model::{Channel, Environment, Id, kinds};
use crate::store::StoreError;
use crate::store::rows::{MessageRow, Names, StoredAttempt, StoredMessage};
use crate::store::seal::SubjectKey;

impl Desk {
    /// Reads a message back; `None` where there is none.
    pub(super) async fn load(&self, id: Id<kinds::Message>) -> Result<Option<Running>, StoreError> {
        match self.scope.message(id).await? {
            Some(stored) => self.read_back(stored).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read_back(&self, stored: StoredMessage) -> Result<Running, StoreError> {
        let mut running = self.read(stored).await?;
        self.resume(&mut running);
        Ok(running)
    }

    async fn read(&self, stored: StoredMessage) -> Result<Running, StoreError> {
        use crate::store::rows::MessageState::{Ended, Live};
        let info = Arc::new(self.info(&stored.row).await?);
        let bytes = match &stored.state {
            Live(live) => &live.state,
            Ended(ended) => &ended.state,
        };
        let state = State::read(bytes, &info.plan.machine)?;
        let rows = self.scope.attempts(stored.n).await?;
        let mut attempts = Vec::with_capacity(rows.len());
        for row in rows {
            attempts.push(self.attempt(&info, row)?);
        }
        let (n, version, owner) = (stored.n, stored.version, stored.owner);
        Ok(Running { n, version, owner, info, state, attempts, said: Vec::new(), counts: HashMap::new() })
    }

    /// What is under way of a message that was read back: places are taken again, and what scripts
    /// are still to say is derived from its attempts.
    fn resume(&self, running: &mut Running) {
        let scripted_scope = self.environment() == Environment::Test;
        for index in 0..running.attempts.len() {
            let attempt = &running.attempts[index];
            let open = running.state.instance.is_open(attempt.number);
            if scripted_scope {
                let confirms = self.confirms(&attempt.provider, attempt.channel);
                let (provider, channel) = (attempt.provider.as_str(), attempt.channel);
                let counts = &mut running.counts;
                let plan = running.info.plan_of(attempt.id, provider, channel, &confirms, counts);
                let answered = attempt.ended_at.filter(|_| attempt.outcome.is_some());
                let mut said = Vec::new();
                scripted(plan, attempt.number, attempt.at, answered, &mut said);
                let instance = &running.state.instance;
                running.said.extend(said.into_iter().filter(|said| said.is_to_come(instance)));
            }
            // A call of a message that has ended was lost with the process that made it: nobody waits
            // for its answer, so it takes no place.
            if open && (scripted_scope || running.state.instance.ended().is_none()) {
                let attempt = &mut running.attempts[index];
                let mut state = self.state();
                attempt.place = Some(state.providers.resume(&attempt.provider));
                if running.state.instance.ended().is_none() {
                    state.quotas.resume(crate::model::shapes::QuotaName::Channel(attempt.channel));
                }
            }
        }
        if self.is_mine(running) {
            self.queue_up(running);
        }
    }

    /// The stages of a message that wait for a place stand in the queue for it.
    pub(super) fn queue_up(&self, running: &Running) {
        let priority = running.info.priority;
        let queued: Vec<_> =
            running.state.instance.queued().map(|(stage, name)| (stage, name.to_owned())).collect();
        for (stage, provider) in queued {
            self.state().providers.wait(&provider, priority, running.info.id, stage);
            self.wake.notify_one();
        }
    }

    /// What a provider confirms on a channel.
    pub(super) fn confirms(&self, provider: &str, channel: Channel) -> Vec<crate::model::Confirmation> {
        let state = self.state();
        let record = state.providers.get(provider).and_then(|provider| provider.record.as_ref());
        let confirms = record.and_then(|record| record.confirms.get(&channel)).cloned();
        confirms.unwrap_or_else(|| channel.default_confirmations().to_vec())
    }

    fn attempt(&self, info: &Info, stored: StoredAttempt) -> Result<Attempt, StoreError> {
        let doc: AttemptDoc = read(&stored.row.doc)?;
        let outcome = stored.outcome;
        let detail = match (&info.key, outcome.as_ref().and_then(|outcome| outcome.detail.as_ref())) {
            (Some(key), Some(sealed)) => {
                let text = self.scope.open(key, &outcome_place(stored.row.id), sealed)?;
                Some(String::from_utf8_lossy(&text).into_owned())
            }
            _ => None,
        };
        Ok(Attempt {
            number: doc.number,
            id: stored.row.id,
            stage: StageId(doc.stage),
            channel: stored.row.channel,
            provider: stored.row.provider,
            at: stored.row.at,
            valid_until: doc.valid_until,
            outcome: outcome.as_ref().map(|outcome| outcome.outcome),
            ended_at: outcome.as_ref().map(|outcome| outcome.at),
            provider_message_id: outcome.and_then(|outcome| outcome.provider_message_id),
            detail,
            held: doc.held,
            place: None,
        })
    }

    /// A message as it stands in the store, to be shown: no place is taken for it.
    pub(super) async fn view(&self, stored: StoredMessage) -> Result<Running, StoreError> {
        let mut running = self.read(stored).await?;
        // The attempts were read after the state, and may be further: what it does not know of yet is
        // left out, so that a message is shown as it was at one instant.
        let instance = &running.state.instance;
        running.attempts.retain(|attempt| attempt.number <= instance.attempts_made());
        for attempt in running.attempts.iter_mut().filter(|attempt| instance.is_open(attempt.number)) {
            attempt.outcome = None;
            attempt.ended_at = None;
            attempt.provider_message_id = None;
            attempt.detail = None;
        }
        Ok(running)
    }

    async fn info(&self, row: &MessageRow) -> Result<Info, StoreError> {
        let clear = read_clear(&row.doc)?;
        let key = self.scope.known_subject_key(clear.subject()).await?;
        let personal = read_personal(&self.scope, key.as_ref(), row.id, &row.doc)?;
        let plan = self.policies.of_message(&self.scope, row.policy.as_ref(), &clear).await?;
        let contact = match row.contact {
            Some(contact) => self.contact(contact).await?,
            None => None,
        };
        let given = Given {
            id: row.id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            contact: row.contact,
            template: row.template.clone(),
            policy: row.policy.clone(),
            priority: row.priority,
            clear,
            personal,
            key,
            plan,
        };
        self.complete(given, contact).await
    }

    pub(super) async fn contact(
        &self,
        id: Id<kinds::Contact>,
    ) -> Result<Option<Arc<ContactRecord>>, StoreError> {
        if let Some(held) = self.state().contacts.get(&id) {
            return Ok(Some(Arc::clone(held)));
        }
        let seen = self.people.load(Ordering::Acquire);
        let Some(row) = self.scope.contact(id).await? else { return Ok(None) };
        let record = match Box::pin(ContactRecord::read(&self.scope, &row)).await {
            Ok(record) => Arc::new(record),
            // Erased between the two reads.
            Err(StoreError::Sealed) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut state = self.state();
        // One that changed meanwhile is read again.
        if self.people.load(Ordering::Acquire) == seen {
            if state.contacts.len() >= CONTACTS_MAX {
                state.contacts = HashMap::new();
            }
            state.contacts.insert(id, Arc::clone(&record));
        }
        Ok(Some(record))
    }

    /// A compiled template, of the version that a message has.
    pub(super) async fn template(
        &self,
        names: &Names,
    ) -> Result<Option<Arc<super::content::Template>>, StoreError> {
        let version = self.templates.version(&self.scope, names).await?;
        Ok(version.and_then(|version| version.compiled.clone()))
    }

    /// Puts together what a message is decided by.
    pub(super) async fn complete(
        &self,
        given: Given,
        contact: Option<Arc<ContactRecord>>,
    ) -> Result<Info, StoreError> {
        let seen = self.people.load(Ordering::Acquire);
        let compiled = match &given.template {
            Some(names) => self.template(names).await?,
            None => None,
        };
        let personal = given.personal.as_ref();
        let addresses = match &contact {
            Some(contact) => contact.addresses.clone(),
            None => personal.and_then(|personal| personal.to.clone()).unwrap_or_default(),
        };
        let opted_out = self.opted_out(&addresses).await?;
        let vars = personal.and_then(|personal| personal.vars.as_ref());
        let vars = vars.iter().flat_map(|vars| &vars.0);
        let vars = vars.filter_map(|(name, value)| Some((name.clone(), FactValue::from_json(value)?)));
        let known = Known {
            vars: vars.collect(),
            person: person(contact.as_deref()),
            priority: given.priority,
            category: given.clear.category.as_str().to_owned(),
            zone: self.scope.row().timezone.clone(),
        };
        let locale = given.clear.locale.clone().or_else(|| contact.as_ref()?.locale.clone());
        let sandbox = personal.and_then(|personal| personal.sandbox.as_ref());
        Ok(Info {
            id: given.id,
            created_at: given.created_at,
            expires_at: given.expires_at,
            contact: given.contact,
            template: given.template,
            policy: given.policy,
            priority: given.priority,
            scripts: sandbox.map(scripts).unwrap_or_default(),
            person: contact,
            clear: given.clear,
            personal: given.personal,
            key: given.key,
            plan: given.plan,
            known,
            addresses,
            opted_out,
            compiled,
            locale: locale.map(crate::model::shapes::text::Locale::into_string),
            seen,
        })
    }

    /// The channels that the owner of these addresses does not want.
    async fn opted_out(&self, addresses: &Addresses) -> Result<BTreeSet<Channel>, StoreError> {
        let hashes: Vec<_> = addresses
            .iter()
            .map(|(channel, address)| (channel, self.scope.address_hash(channel, address)))
            .collect();
        let unknown: Vec<_> = {
            let state = self.state();
            hashes.iter().copied().filter(|hash| !state.consents.contains_key(hash)).collect()
        };
        if !unknown.is_empty() {
            let seen = self.people.load(Ordering::Acquire);
            let found = self.scope.consents(&unknown).await?;
            let mut state = self.state();
            // A consent that changed meanwhile is looked up again.
            if self.people.load(Ordering::Acquire) == seen {
                state.consents.extend(unknown.iter().map(|hash| (*hash, false)));
                state.consents.extend(found.iter().map(|row| ((row.channel, row.address), row.opted_out)));
            }
            let out = found.into_iter().filter(|row| row.opted_out).map(|row| row.channel);
            let known = hashes.iter().filter(|hash| state.consents.get(hash) == Some(&true));
            return Ok(out.chain(known.map(|(channel, _)| *channel)).collect());
        }
        let state = self.state();
        Ok(hashes.iter().filter(|hash| state.consents.get(hash) == Some(&true)).map(|(c, _)| *c).collect())
    }

    /// Reads the person of a message again where people of the scope have changed.
    pub(super) async fn refresh(&self, running: &mut Running) -> Result<(), StoreError> {
        if running.info.seen != self.people.load(Ordering::Acquire) {
            Box::pin(self.read_person_again(running)).await?;
        }
        Ok(())
    }

    async fn read_person_again(&self, running: &mut Running) -> Result<(), StoreError> {
        let info = &running.info;
        let contact = match info.contact {
            Some(contact) => self.contact(contact).await?,
            None => None,
        };
        let key = self.scope.known_subject_key(info.clear.subject()).await?;
        let given = Given {
            id: info.id,
            created_at: info.created_at,
            expires_at: info.expires_at,
            contact: info.contact,
            template: info.template.clone(),
            policy: info.policy.clone(),
            priority: info.priority,
            clear: info.clear.clone(),
            personal: info.personal.clone().filter(|_| key.is_some()),
            key,
            plan: info.plan.clone(),
        };
        running.info = Arc::new(self.complete(given, contact).await?);
        Ok(())
    }
}

/// What a message was given, from which the rest follows.
pub(super) struct Given {
    pub(super) id: Id<kinds::Message>,
    pub(super) created_at: crate::model::Instant,
    pub(super) expires_at: Option<crate::model::Instant>,
    pub(super) contact: Option<Id<kinds::Contact>>,
    pub(super) template: Option<Names>,
    pub(super) policy: Option<Names>,
    pub(super) priority: crate::model::Priority,
    pub(super) clear: Clear,
    pub(super) personal: Option<Personal>,
    pub(super) key: Option<SubjectKey>,
    pub(super) plan: Plan,
}

/// Scripts that were found right when the message was accepted.
pub(super) fn scripts(given: &crate::model::shapes::text::Scripts) -> Scripts {
    let mut scripts = Scripts::default();
    for (key, text) in &given.0 {
        if let Ok(script) = crate::language::script::Script::parse(text.as_str()) {
            scripts.insert(key.clone(), script);
        }
    }
    scripts
}

/// A contact as templates see it, under `contact`.
pub(super) fn contact_values(contact: &ContactRecord) -> Map<String, Value> {
    let mut values: Map<String, Value> = contact.attributes.0.clone().into_iter().collect();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    };
    put("id", Some(&contact.id.to_string()));
    put("external_id", contact.external_id.as_ref().map(|v| v.as_str()));
    put("name", contact.name.as_ref().map(|v| v.as_str()));
    put("locale", contact.locale.as_ref().map(|v| v.as_str()));
    put("timezone", contact.timezone.as_ref().map(|v| v.as_str()));
    put("country", contact.country.as_ref().map(|v| v.as_str()));
    let attributes = contact.attributes.0.clone().into_iter().collect();
    values.insert("attributes".to_owned(), Value::Object(attributes));
    values
}
