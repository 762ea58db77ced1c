//! What several nodes on one store share: webhook deliveries, quotas, breakers and rates.

mod engines;
mod webhooks;
