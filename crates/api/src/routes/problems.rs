//! A page for each kind of problem: where `type` points to.

use axum::{
    Router,
    extract::Path,
    response::{Html, IntoResponse, Response},
    routing::get,
};

use crate::{Api, Problem, problem::kind};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/docs/problems/{code}", get(problem_page))
}

async fn problem_page(Path(code): Path<String>) -> Response {
    let Some((code, status, title, advice)) = kind(&code) else {
        return Problem::not_found("kind of problem").into_response();
    };
    let advice = advice.replace('<', "&lt;").replace('>', "&gt;");
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · Waxwing</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;\
         padding:0 1rem}}code{{background:#eee;padding:.1em .3em;border-radius:.2em}}</style>\
         <h1>{title}</h1><p><code>{code}</code> · HTTP {}</p><p>{advice}</p><p><a href=\"/api/docs\">API reference</a></p></html>",
        status.as_u16()
    ))
    .into_response()
}
