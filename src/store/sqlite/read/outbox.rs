//! Events, endpoints and deliveries.

use super::{Question, Reader, rows};
use crate::model::{Id, Instant, kinds};
use crate::store::rows::{DeliveryFilter, DeliveryRow, EndpointRow, EventFilter, StoredEvent};
use crate::store::{Listed, Page, Position, StoreError};

use super::super::encode::delivery_state_number;

const EVENT: &str = "SELECT v.n, v.id, v.kind, v.at, v.message, m.id, v.sequence, v.data \
     FROM event v LEFT JOIN message m ON m.n = v.message";
const ENDPOINT: &str = "SELECT n, id, version, created_at, enabled, position, doc, secrets FROM endpoint";
const DELIVERY: &str = "SELECT n, id, event, event_id, event_at, endpoint, version, state, next_try_at, tries \
     FROM delivery";

impl Reader {
    pub(crate) async fn event(&self, id: Id<kinds::Event>) -> Result<Option<StoredEvent>, StoreError> {
        self.one(Question::new(EVENT).and("v.id = ?", id.to_bytes().to_vec()), rows::event).await
    }

    pub(crate) async fn events(
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
            question =
                question.and("v.message = (SELECT n FROM message WHERE id = ?)", message.to_bytes().to_vec());
        }
        self.page(question, "v.n", page, rows::positioned_event).await
    }

    pub(crate) async fn events_after(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let question =
            Question::new(EVENT).and("v.n > ?", after).end("ORDER BY v.n LIMIT ?", i64::from(limit));
        self.all(question, rows::event).await
    }

    pub(crate) async fn endpoint(&self, id: Id<kinds::Endpoint>) -> Result<Option<EndpointRow>, StoreError> {
        let question = Question::new(ENDPOINT).and("id = ?", id.to_bytes().to_vec());
        Ok(self.one(question, rows::endpoint).await?.map(|endpoint| endpoint.row))
    }

    pub(crate) async fn endpoints(&self, page: Page) -> Result<Listed<EndpointRow>, StoreError> {
        self.page(Question::new(ENDPOINT), "n", page, rows::endpoint).await
    }

    pub(crate) async fn delivery(&self, id: Id<kinds::Delivery>) -> Result<Option<DeliveryRow>, StoreError> {
        let question = Question::new(DELIVERY).and("id = ?", id.to_bytes().to_vec());
        Ok(self.one(question, rows::delivery).await?.map(|delivery| delivery.row))
    }

    pub(crate) async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<Listed<DeliveryRow>, StoreError> {
        // The state stands in the text where it is written, so that the index of dead letters fits.
        let select = match filter.state {
            Some(state) => format!("{DELIVERY} WHERE state = {}", delivery_state_number(state)),
            None => format!("{DELIVERY} WHERE true"),
        };
        let question = Question::under(select)
            .and_maybe("endpoint = ?", filter.endpoint.map(|endpoint| endpoint.to_bytes().to_vec()))
            .and_maybe("event_at >= ?", filter.event_from.map(Instant::ms))
            .and_maybe("event_at < ?", filter.event_to.map(Instant::ms));
        self.page(question, "n", page, rows::delivery).await
    }

    pub(crate) async fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let question = Question::under(format!("{DELIVERY} WHERE state = 0"))
            .and_maybe("endpoint = ?", endpoint.map(|endpoint| endpoint.to_bytes().to_vec()))
            .and("next_try_at <= ?", until.ms())
            .end("ORDER BY next_try_at, n LIMIT ?", i64::from(limit));
        let found = self.all(question, rows::delivery).await?;
        Ok(found.into_iter().map(|delivery| delivery.row).collect())
    }

    pub(crate) async fn next_try(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
    ) -> Result<Option<Instant>, StoreError> {
        let select = "SELECT min(next_try_at) FROM delivery WHERE state = 0 AND next_try_at IS NOT NULL";
        let question = Question::under(select.to_owned())
            .and_maybe("endpoint = ?", endpoint.map(|endpoint| endpoint.to_bytes().to_vec()));
        Ok(self.one(question, rows::lone_instant).await?.flatten())
    }
}
