//! What is open to all, at the root.

use axum::http::Method;

use crate::api::call::{Answer, OpenCall};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::endpoint::Endpoint;

const TAG: &str = "open to all";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let get = Method::GET;
    vec![
        Endpoint::open(get.clone(), "//healthz", health)
            .about(TAG, "Whether the process lives")
            .gives_no_json(200, "It does."),
        Endpoint::open(get.clone(), "//readyz", ready)
            .about(TAG, "Whether messages are taken in")
            .gives_no_json(200, "They are.")
            .refuses(&[Code::ShuttingDown]),
        Endpoint::open(get.clone(), "//openapi.json", document)
            .about(TAG, "This document")
            .gives_no_json(200, "An OpenAPI 3.1 document."),
        Endpoint::open(get, "//problems/{code}", problem)
            .about(TAG, "What a problem means, and what to do")
            .gives_no_json(200, "A page of text."),
    ]
}

async fn health(_: OpenCall) -> Result<Answer, Problem> {
    Ok(Answer::text(200, TEXT, "ok\n"))
}

async fn ready(call: OpenCall) -> Result<Answer, Problem> {
    if call.app.front.is_ready() {
        Ok(Answer::text(200, TEXT, "ready\n"))
    } else {
        Err(Problem::from(Code::ShuttingDown).retry_after(1))
    }
}

async fn document(call: OpenCall) -> Result<Answer, Problem> {
    Ok(Answer::bytes(200, call.app.document.clone()))
}

async fn problem(call: OpenCall) -> Result<Answer, Problem> {
    let code = call.path.first().and_then(|word| Code::from_word(word)).ok_or_else(Problem::not_found)?;
    let page =
        format!("{} (HTTP {}, code `{}`)\n\n{}\n", code.title(), code.status(), code.word(), code.page());
    Ok(Answer::text(200, TEXT, page))
}
