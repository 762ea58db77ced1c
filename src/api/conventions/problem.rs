//! Errors: RFC 9457 problems, from one table of codes.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

/// One fault of a request: where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub struct Fault {
    /// The place in the body, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong and what to write instead. Never the value itself.
    pub message: String,
}

impl From<crate::model::Fault> for Fault {
    fn from(fault: crate::model::Fault) -> Fault {
        Fault::at(fault.pointer, fault.message)
    }
}

impl Fault {
    /// A fault of the body at a JSON pointer.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { pointer: Some(pointer.into()), parameter: None, message: message.into() }
    }

    /// A fault of a query parameter.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { pointer: None, parameter: Some(name.into()), message: message.into() }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $status:literal, $title:literal, $page:literal;)+) => {
        /// The stable words for what went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// All of them, in the order of their statuses.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];
            const ROWS: &'static [(&'static str, u16, &'static str, &'static str)] =
                &[$(($word, $status, $title, $page),)+];
        }
    };
}

codes! {
    /// The body is no JSON.
    MalformedJson = "malformed_json", 400, "The body is not valid JSON",
        "The body could not be read as JSON: it is not UTF-8, breaks the syntax, holds half of a surrogate pair, names a key twice in one object, or nests deeper than 64 levels. `detail` tells line and column. Mend the body and send it again under the same idempotency key.";
    /// No `Idempotency-Key`.
    IdempotencyKeyMissing = "idempotency_key_missing", 400, "The Idempotency-Key header is missing",
        "A request that changes something needs the header `Idempotency-Key`, so that it can be sent again safely. Make up a new value for each change, a UUID for example, and use the same one when you repeat the request.";
    /// An `Idempotency-Key` that is none.
    IdempotencyKeyInvalid = "idempotency_key_invalid", 400, "The Idempotency-Key header is not valid",
        "The header `Idempotency-Key` holds 1 to 255 visible ASCII characters (no spaces), and stands once.";
    /// A cursor of another list, or none.
    CursorInvalid = "cursor_invalid", 400, "The cursor is not valid",
        "`after` and `before` take a `next_cursor` or `prev_cursor` of the same list with the same filters, unchanged. Start again without a cursor.";
    /// A query parameter.
    ParameterInvalid = "parameter_invalid", 400, "A query parameter is not valid",
        "`errors` names each query parameter that is unknown, given twice, or has a value that it cannot take.";
    /// No key.
    KeyMissing = "key_missing", 401, "No API key was given",
        "Send the API key in the header `Authorization: Bearer sk_test_…`.";
    /// A typing error.
    KeyMalformed = "key_malformed", 401, "The API key is mistyped",
        "The text has not the shape of a key, or its checksum is wrong: a character is missing or changed. Copy the key again.";
    /// No such key.
    KeyUnknown = "key_unknown", 401, "The API key does not exist",
        "The key is well formed, but this installation never issued it. Is it the key of another installation?";
    /// Revoked.
    KeyRevoked = "key_revoked", 401, "The API key was revoked",
        "Someone revoked this key. Use another.";
    /// Ran out.
    KeyExpired = "key_expired", 401, "The API key has expired",
        "The key's time is over, or it was rolled and its overlap has passed. Use the newer one.";
    /// A signature that does not verify.
    SignatureInvalid = "signature_invalid", 401, "The signature is not valid",
        "The call is not signed with the secret that was agreed on, or its timestamp is too old.";
    /// The key lacks a permission.
    PermissionMissing = "permission_missing", 403, "The API key lacks a permission",
        "`detail` names the permission that the request needs. None implies another: make a key that has it.";
    /// A live key at a test endpoint.
    TestKeyNeeded = "test_key_needed", 403, "This needs a test key",
        "The endpoint exists for test keys alone.";
    /// Nothing there.
    NotFound = "not_found", 404, "There is no such thing",
        "The path, or what it names, does not exist. What belongs to another tenant or environment does not exist either.";
    /// Another method.
    MethodNotAllowed = "method_not_allowed", 405, "The path does not take this method",
        "The header `Allow` lists the methods that the path takes.";
    /// The key stands for another request.
    IdempotencyConflict = "idempotency_conflict", 409, "The idempotency key was used for another request",
        "An earlier request with the same `Idempotency-Key` had another method, path, query or body. Use a new key for a new request.";
    /// A name that must be unique.
    NameTaken = "name_taken", 409, "The name is taken",
        "Another record of this scope already has the name or external id.";
    /// Too late.
    MessageEnded = "message_ended", 409, "The message has ended",
        "What has ended can neither be canceled nor confirmed.";
    /// Disabled.
    EndpointDisabled = "endpoint_disabled", 409, "The webhook endpoint is disabled",
        "Enable the endpoint first: `PATCH` it with `{\"state\": \"enabled\"}`.";
    /// Too many bytes.
    BodyTooLarge = "body_too_large", 413, "The body is too large",
        "`detail` tells the largest size that the endpoint takes.";
    /// No JSON by its own word.
    ContentTypeUnsupported = "content_type_unsupported", 415, "The content type is not supported",
        "Bodies are JSON in UTF-8: send `Content-Type: application/json`.";
    /// Faults of shape.
    Invalid = "invalid", 422, "The request has faults",
        "`errors` names every fault that could be seen at once, each with the JSON pointer of its place in the body. Mend them and send the request again under the same idempotency key.";
    /// A policy text that does not compile.
    PolicyInvalid = "policy_invalid", 422, "The policy does not compile",
        "`findings` holds what is wrong with the text, with lines, columns and help, as `spine policy check --format json` gives it.";
    /// The rate limit.
    RateLimited = "rate_limited", 429, "Too many requests",
        "The key's bucket is empty. `Retry-After` tells in how many seconds there is a token again; the headers `RateLimit-Policy` and `RateLimit` show the bucket on every answer.";
    /// The quota.
    QuotaExceeded = "quota_exceeded", 429, "The quota is used up",
        "The scope's quota is used up. `Retry-After` tells in how many seconds its window ends.";
    /// Our fault.
    Internal = "internal", 500, "Something went wrong here",
        "The fault is the server's. The `request_id` finds it in the logs. It is safe to send the request again under the same idempotency key.";
    /// Too much to do, or no room on the disk.
    Overloaded = "overloaded", 503, "The server cannot take this now",
        "The server has too much to do, or cannot write. Send the request again later under the same idempotency key.";
    /// Going down.
    ShuttingDown = "shutting_down", 503, "The server is shutting down",
        "Send the request again under the same idempotency key, in a moment or to another node.";
}

impl Code {
    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        Self::ROWS[self as usize]
    }

    /// How it is spelt.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// One line for people, the same for every occurrence.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The page that `type` leads to: what it means and what to do.
    #[must_use]
    pub fn page(self) -> &'static str {
        self.row().3
    }

    /// The address of the page, relative to the server's root.
    #[must_use]
    pub fn type_path(self) -> String {
        format!("{PAGES}{}", self.word())
    }

    /// The code of this spelling.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Code> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }

    /// Whether the answer is kept under the request's idempotency key: every refusal that was
    /// given once the body was understood, but none that may be otherwise the next time.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self.status(), 404 | 409) && self != Code::IdempotencyConflict || self == Code::PolicyInvalid
    }
}

/// Where the pages of the codes are answered.
pub const PAGES: &str = "/problems/";

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

/// A refusal on its way to the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// This occurrence, for people.
    pub detail: String,
    /// The faults, where there are any to name.
    pub errors: Vec<Fault>,
    /// A linter's findings, for [`Code::PolicyInvalid`] alone.
    pub findings: Option<Box<Value>>,
    /// Seconds after which it may go better.
    pub retry_after_s: Option<u64>,
    /// The methods that the path takes, for [`Code::MethodNotAllowed`].
    pub allow: Option<Box<str>>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Problem {
        Problem::new(code, code.title())
    }
}

impl Problem {
    /// A problem with a detail of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            findings: None,
            retry_after_s: None,
            allow: None,
        }
    }

    /// 422 `invalid` with these faults.
    #[must_use]
    pub fn invalid(errors: Vec<Fault>) -> Problem {
        Problem { errors, ..Problem::from(Code::Invalid) }
    }

    /// 422 `invalid` with one fault.
    pub fn fault(pointer: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem::invalid(vec![Fault::at(pointer, message)])
    }

    /// 400 `parameter_invalid` with these faults.
    #[must_use]
    pub fn parameters(errors: Vec<Fault>) -> Problem {
        Problem { errors, ..Problem::from(Code::ParameterInvalid) }
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Problem {
        Problem::from(Code::NotFound)
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The body: an `application/problem+json` object.
    #[must_use]
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            r#type: self.code.type_path(),
            title: self.code.title(),
            status: self.code.status(),
            code: self.code,
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            findings: self.findings.as_deref().cloned(),
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Response<Body> {
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.write_headers(response.headers_mut());
        response
    }

    /// The headers that go with it.
    pub fn write_headers(&self, headers: &mut axum::http::HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.code.status() == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let mut put = |name: HeaderName, value: Option<String>| {
            if let Some(value) = value.and_then(|v| HeaderValue::try_from(v).ok()) {
                headers.insert(name, value);
            }
        };
        put(header::RETRY_AFTER, self.retry_after_s.map(|s| s.to_string()));
        put(header::ALLOW, self.allow.as_deref().map(str::to_owned));
    }
}

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem, as a caller reads it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody {
    /// The page that explains the code.
    pub r#type: String,
    /// The code in one line.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable word.
    pub code: Code,
    /// This occurrence.
    pub detail: String,
    /// Under which the logs know the request.
    pub request_id: String,
    /// Every fault that could be seen at once; empty where there is none to name.
    pub errors: Vec<Fault>,
    /// The linter's findings, with `policy_invalid` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_a_page_and_a_title() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
            assert_eq!(Code::from_word(code.word()), Some(*code));
            assert!(
                (400..=599).contains(&code.status()) && code.page().len() > 30 && !code.title().is_empty()
            );
        }
    }

    #[test]
    fn what_may_be_otherwise_the_next_time_is_not_kept() {
        let kept: Vec<_> = Code::ALL.iter().filter(|c| c.is_kept()).map(|c| c.word()).collect();
        assert_eq!(kept, ["not_found", "name_taken", "message_ended", "endpoint_disabled", "policy_invalid"]);
    }

    #[test]
    fn a_problem_names_its_faults_and_has_the_headers_that_belong_to_it() {
        let problem = Problem::fault("/vars/time", "is required");
        let body = serde_json::to_value(problem.body("req_1")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"type": "/problems/invalid", "title": "The request has faults", "status": 422,
                "code": "invalid", "detail": "The request has faults", "request_id": "req_1",
                "errors": [{"pointer": "/vars/time", "message": "is required"}]})
        );
        let response = Problem::from(Code::KeyMissing).retry_after(3).into_response("req_1");
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }
}
