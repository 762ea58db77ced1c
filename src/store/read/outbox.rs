//! Events, endpoints and deliveries.

use super::{Question, Source, decode as rows};
use crate::model::{Id, Instant, kinds};
use crate::store::rows::{DeliveryFilter, DeliveryRow, EndpointRow, EventFilter, StoredEvent};
use crate::store::{Listed, Page, PageStart, Position, StoreError};

use crate::store::forms::delivery_state_number;

const EVENT: &str = "SELECT v.n, v.id, v.kind, v.at, v.message, m.id, v.sequence, v.data \
     FROM event v LEFT JOIN message m ON m.n = v.message";
/// How many endpoints are looked at before a scope is closed: more than a scope may have.
const ENDPOINTS_LOOKED_AT: u32 = 1_000;
const ENDPOINT: &str = "SELECT n, id, version, created_at, enabled, position, doc, secrets FROM endpoint";
const DELIVERY: &str = "SELECT n, id, event, event_id, event_at, endpoint, version, state, next_try_at, tries \
     FROM delivery";

impl dyn Source + '_ {
    pub(in crate::store) async fn event(
        &self,
        id: Id<kinds::Event>,
    ) -> Result<Option<StoredEvent>, StoreError> {
        self.one(Question::new(EVENT).and("v.id = ?", id.to_bytes()), rows::event).await
    }

    pub(in crate::store) async fn events(
        &self,
        filter: EventFilter,
        page: Page,
    ) -> Result<Listed<StoredEvent>, StoreError> {
        let mut question = Question::new(EVENT);
        if let Some(kind) = &filter.kind {
            question = match kind.strip_suffix('*') {
                // A range, since the characters of types have no meaning of their own in it.
                Some(prefix) => question
                    .and("v.kind >= ?", prefix.to_owned())
                    .and("v.kind < ?", format!("{prefix}\u{10ffff}")),
                None => question.and("v.kind = ?", kind.clone()),
            };
        }
        if let Some(message) = filter.message {
            question = question.and("v.message = (SELECT n FROM message WHERE id = ?)", message.to_bytes());
        }
        self.page(question, "v.n", page, rows::positioned_event).await
    }

    pub(in crate::store) async fn events_after(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let question =
            Question::new(EVENT).and("v.n > ?", after).end("ORDER BY v.n LIMIT ?", i64::from(limit));
        self.all(question.listed_by("v.n"), rows::event).await
    }

    pub(in crate::store) async fn endpoint(
        &self,
        id: Id<kinds::Endpoint>,
    ) -> Result<Option<EndpointRow>, StoreError> {
        let question = Question::new(ENDPOINT).and("id = ?", id.to_bytes());
        Ok(self.one(question, rows::endpoint).await?.map(|endpoint| endpoint.row))
    }

    pub(in crate::store) async fn endpoints(&self, page: Page) -> Result<Listed<EndpointRow>, StoreError> {
        self.page(Question::new(ENDPOINT), "n", page, rows::endpoint).await
    }

    pub(in crate::store) async fn delivery(
        &self,
        id: Id<kinds::Delivery>,
    ) -> Result<Option<DeliveryRow>, StoreError> {
        let question = Question::new(DELIVERY).and("id = ?", id.to_bytes());
        Ok(self.one(question, rows::delivery).await?.map(|delivery| delivery.row))
    }

    pub(in crate::store) async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<Listed<DeliveryRow>, StoreError> {
        // The state stands in the text where it is written, so that the index of dead letters fits.
        let question = match filter.state {
            Some(state) => {
                Question::new(DELIVERY).and_that(&format!("state = {}", delivery_state_number(state)))
            }
            None => Question::new(DELIVERY),
        };
        let question = question
            .and_maybe("endpoint = ?", filter.endpoint.map(|endpoint| endpoint.to_bytes()))
            .and_maybe("event_at >= ?", filter.event_from.map(Instant::ms))
            .and_maybe("event_at < ?", filter.event_to.map(Instant::ms));
        self.page(question, "n", page, rows::delivery).await
    }

    pub(in crate::store) async fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let question = Question::new(DELIVERY)
            .and_that("state = 0")
            .and_maybe("endpoint = ?", endpoint.map(|endpoint| endpoint.to_bytes()))
            .and("next_try_at <= ?", until.ms())
            .end("ORDER BY next_try_at, n LIMIT ?", i64::from(limit));
        let found = self.all(question, rows::delivery).await?;
        Ok(found.into_iter().map(|delivery| delivery.row).collect())
    }

    pub(in crate::store) async fn next_try(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
    ) -> Result<Option<Instant>, StoreError> {
        let question = Question::new("SELECT min(next_try_at) FROM delivery")
            .and_that("state = 0")
            .and_that("next_try_at IS NOT NULL")
            .and_maybe("endpoint = ?", endpoint.map(|endpoint| endpoint.to_bytes()));
        Ok(self.one(question, rows::lone_instant).await?.flatten())
    }

    /// The earliest instant at which something is to be done, in real time.
    pub(in crate::store) async fn wake_at(&self) -> Result<Option<Instant>, StoreError> {
        // A call without an outcome is cleared up at once.
        if !self.unfinished(None, 1).await?.is_empty() {
            return Ok(Some(Instant::from_ms(0)));
        }
        // And so are events that came after the last look of an endpoint's worker: those of a stop.
        let newest = |limit| Page { start: PageStart::Newest, limit };
        let last = self.events(EventFilter::default(), newest(1)).await?.rows.first().map(|event| event.n);
        let endpoints = self.endpoints(newest(ENDPOINTS_LOOKED_AT)).await?.rows;
        if endpoints.iter().any(|row| row.row.enabled && last.is_some_and(|last| row.row.position < last)) {
            return Ok(Some(Instant::from_ms(0)));
        }
        let due = self.next_due().await?;
        let next_try = self.next_try(None).await?;
        let ahead_ms = self.clock().await?.advanced_by_ms;
        let earliest = [due, next_try].into_iter().flatten().min();
        Ok(earliest.map(|at| Instant::from_ms(at.ms().saturating_sub(ahead_ms))))
    }
}
