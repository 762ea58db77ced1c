//! The policies of a server, by its REST surface.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::BASE_PATH;
use crate::api::conventions::keys::ApiKey;
use crate::cli::CliError;
use crate::cli::operator::now;
use crate::lint::SourceFile;
use crate::providers::outbound;

/// Where the key stands.
const KEY_VARIABLE: &str = "SPINE_KEY";
/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Policies that are asked for at once.
const PAGE: u32 = 100;

/// A policy as a server has it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Remote {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) source: String,
}

impl Remote {
    /// Policies of a server as files.
    pub(crate) fn files(remote: &[Remote], url: &str) -> Vec<SourceFile> {
        let file = |policy: &Remote| SourceFile {
            path: format!("{} at {url}", policy.name),
            text: policy.source.clone(),
            bare_name: Some(policy.name.clone()),
        };
        remote.iter().map(file).collect()
    }
}

/// A caller of one server.
pub(crate) struct Server {
    http: reqwest::Client,
    /// As it is shown.
    pub(crate) url: String,
    base: String,
    key: ApiKey,
}

/// Why a server did not do what it was asked.
pub(crate) enum ServerError {
    /// It was not asked, or did not answer, or answered something else than it should.
    Failed(String),
    /// It refused the policies.
    Findings(Vec<Value>),
    /// There is no such thing.
    NotFound,
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> CliError {
        CliError::Refused(match error {
            ServerError::Failed(what) => what,
            ServerError::Findings(findings) => {
                format!("the server refuses the policies: {}", Value::from(findings))
            }
            ServerError::NotFound => "the server has no such policy".to_owned(),
        })
    }
}

impl Server {
    /// A server at an address, with the key of the environment.
    pub(crate) fn at(url: &str) -> Result<Server, CliError> {
        let refused = |what: String| CliError::Refused(what);
        let parsed = url::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(parsed) = parsed else {
            return Err(refused(format!(
                "`{url}` is no address of a server; write one such as `https://spine.example.org`"
            )));
        };
        let key = std::env::var(KEY_VARIABLE).map_err(|_| {
            refused(format!(
                "a key is needed: put one into the variable `{KEY_VARIABLE}`; `spine key create` makes them"
            ))
        })?;
        let key = ApiKey::parse(key.trim()).map_err(|_| {
            refused(format!("what is in `{KEY_VARIABLE}` is no key: a character is missing or wrong"))
        })?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(outbound::tls_configuration())
            .redirect(reqwest::redirect::Policy::none())
            .timeout(WITHIN)
            .build()
            .map_err(|error| refused(format!("no HTTP client: {error}")))?;
        let shown = parsed.as_str().trim_end_matches('/').trim_end_matches(BASE_PATH).to_owned();
        Ok(Server { http, base: format!("{shown}{BASE_PATH}"), url: shown, key })
    }

    /// The newest version of every policy, in the order of their names.
    pub(crate) async fn policies(&self) -> Result<Vec<Remote>, ServerError> {
        let (mut all, mut after): (Vec<Remote>, Option<String>) = (Vec::new(), None);
        loop {
            let cursor = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let page = self.get(&format!("/policies?limit={PAGE}{cursor}")).await?;
            all.extend(self.read::<Vec<Remote>>(page.get("data"))?);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if page.get("has_more").and_then(Value::as_bool) == Some(true) => {
                    after = Some(next.to_owned());
                }
                _ => break,
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Every version of a policy, newest first.
    pub(crate) async fn versions(&self, name: &str) -> Result<Vec<Remote>, ServerError> {
        let (mut all, mut after): (Vec<Remote>, Option<String>) = (Vec::new(), None);
        loop {
            let cursor = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let page = self.get(&format!("/policies/{name}/versions?limit={PAGE}{cursor}")).await?;
            all.extend(self.read::<Vec<Remote>>(page.get("data"))?);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if page.get("has_more").and_then(Value::as_bool) == Some(true) => {
                    after = Some(next.to_owned());
                }
                _ => return Ok(all),
            }
        }
    }

    /// Publishes the policies of a source; gives the versions that stand then.
    pub(crate) async fn publish(&self, source: &str, name: Option<&str>) -> Result<Vec<Remote>, ServerError> {
        let body = match name {
            Some(name) => json!({"source": source, "name": name}),
            None => json!({"source": source}),
        };
        // One a call: a text that was published before, and is published again, is another publication.
        let key = format!("push-{}-{}", now().ms(), name.unwrap_or_default());
        let request = self.http.request(Method::POST, format!("{}/policies", self.base));
        let answer = self.send(request.header("idempotency-key", key).json(&body)).await?;
        self.read(answer.get("data"))
    }

    /// A page of the audit's lines, behind the page that ended with this cursor.
    pub(crate) async fn audit(&self, after: Option<&str>) -> Result<String, ServerError> {
        let cursor = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let request = self.http.get(format!("{}/audit/export?limit={PAGE}{cursor}", self.base));
        let body = self.answered(request).await?;
        String::from_utf8(body).map_err(|_| self.strange())
    }

    fn strange(&self) -> ServerError {
        ServerError::Failed(format!("`{}` answers, but not as a spine server does", self.url))
    }

    async fn get(&self, path: &str) -> Result<Value, ServerError> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    fn read<T: for<'d> Deserialize<'d>>(&self, value: Option<&Value>) -> Result<T, ServerError> {
        let read = value.and_then(|value| serde_json::from_value(value.clone()).ok());
        read.ok_or_else(|| self.strange())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, ServerError> {
        let body = self.answered(request).await?;
        serde_json::from_slice(&body).map_err(|_| self.strange())
    }

    /// The body of a good answer.
    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ServerError> {
        let url = &self.url;
        let failed = |what: String| ServerError::Failed(what);
        let answer = request.bearer_auth(self.key.reveal()).send().await;
        let answer = answer.map_err(|error| failed(self.unreached(&error)))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| failed(self.unreached(&error)))?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (code, detail, id) = (text("code"), text("detail"), text("request_id"));
        if let Some(findings) = body.get("findings").and_then(Value::as_array) {
            return Err(ServerError::Findings(findings.clone()));
        }
        let key = format!("`{KEY_VARIABLE}` (…{})", self.key.hint());
        Err(match (status, code.as_str()) {
            (StatusCode::UNAUTHORIZED, "key_revoked") => failed(format!("the key in {key} was revoked")),
            (StatusCode::UNAUTHORIZED, "key_expired") => failed(format!("the key in {key} has run out")),
            (StatusCode::UNAUTHORIZED, _) => failed(format!("`{url}` does not know the key in {key}")),
            (StatusCode::FORBIDDEN, _) => failed(format!(
                "the key in {key} may not do this: {detail}; to read policies it needs `read`, to publish them \
                 `manage`: `spine key create --permissions read,manage` makes such a key"
            )),
            (StatusCode::NOT_FOUND, "not_found") => ServerError::NotFound,
            (StatusCode::TOO_MANY_REQUESTS, _) => failed(format!(
                "`{url}` asks to wait: too many requests with this key; try again in a moment"
            )),
            (status, "") => failed(format!(
                "`{url}` answers {} and is no spine server, or something stands before it",
                status.as_u16()
            )),
            (status, code) => {
                let errors = body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
                let told: Vec<String> = errors
                    .iter()
                    .filter_map(|e| {
                        Some(format!("{} {}", e.get("pointer")?.as_str()?, e.get("message")?.as_str()?))
                    })
                    .collect();
                let told = if told.is_empty() { String::new() } else { format!(": {}", told.join("; ")) };
                failed(format!("`{url}` answers {} `{code}`: {detail}{told} (request {id})", status.as_u16()))
            }
        })
    }

    fn unreached(&self, error: &reqwest::Error) -> String {
        let url = &self.url;
        if error.is_timeout() {
            return format!("`{url}` did not answer within {} seconds", WITHIN.as_secs());
        }
        // The last of the causes says it in the system's words.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        match error.is_connect() {
            true => {
                format!("`{url}` cannot be reached: {cause}; does the server run, and is the address right?")
            }
            false => format!("`{url}` broke off: {cause}"),
        }
    }
}
