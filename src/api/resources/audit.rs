//! The audit, for other programs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lists::Limit;
use crate::api::call::{Answer, Call};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::endpoint::{Access, Endpoint, Permission, Request};
use crate::engine::{EXPORT_FORMAT, Lines, export_page};

const TAG: &str = "audit";
/// The media type of lines of JSON.
const LINES: &str = "application/x-ndjson";
/// Messages, or entries, of a page where nothing is said.
const LIMIT_DEFAULT: u32 = 100;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/audit/export", Access::Permission(Permission::Read), export)
            .about(TAG, "Export the audit as lines of JSON: messages, the oldest first, then other entries")
            .gives_no_json(
                200,
                "A page of lines. Where there is more, the last is `{\"type\": \"next\", \"after\": …}`.",
            )
            .refuses(&[Code::CursorInvalid]),
    ]
}

/// Which page of the export.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// Messages, or entries, of a page; 100 where nothing is said.
    limit: Option<Limit>,
    /// The `after` of the page before.
    after: Option<String>,
}

impl Request for ExportQuery {}

/// The lines of a page.
#[derive(Default)]
struct Body(Vec<u8>);

impl Lines for Body {
    fn line(&mut self, line: Value) -> bool {
        self.0.extend(line.to_string().as_bytes());
        self.0.push(b'\n');
        true
    }
}

async fn export(call: Call, query: ExportQuery) -> Result<Answer, Problem> {
    let from = query.after.as_deref().map(|after| call.position(after)).transpose()?.unwrap_or_default();
    let limit = query.limit.map_or(LIMIT_DEFAULT, |limit| limit.0);
    let mut body = Body::default();
    let row = call.scope.row();
    body.line(json!({"type": "export", "format": EXPORT_FORMAT, "spine": env!("CARGO_PKG_VERSION")}));
    body.line(json!({
        "type": "scope", "tenant": row.tenant_name, "environment": row.environment,
        "timezone": row.timezone, "currency": row.currency,
    }));
    if let Some(next) = export_page(&call.scope, from, limit, &mut body).await? {
        body.line(json!({"type": "next", "after": call.cursor(next)}));
    }
    Ok(Answer::text(200, LINES, body.0))
}
