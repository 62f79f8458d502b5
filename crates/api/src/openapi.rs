//! The OpenAPI 3.1 document, made from the same registrations as the routes.

use axum::Router;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Api,
    problem::{FieldError, ProblemBody},
    routes,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Waxwing", description = "WhatsApp, programmable: sessions, messages, webhooks, and a sandbox network to test against."),
    components(schemas(ProblemBody, FieldError)),
    tags(
        (name = "auth", description = "Users: register, sign in, stay signed in."),
        (name = "me", description = "Who calls, and what users change about themselves."),
        (name = "account", description = "The tenant, and what it used."),
        (name = "audit", description = "Who changed what."),
        (name = "members", description = "Who belongs to the account, and who is invited to."),
        (name = "api_keys", description = "Keys with which programs call the API."),
        (name = "sessions", description = "Connections of linked devices, one per WhatsApp account."),
        (name = "messages", description = "Messages, in and out."),
        (name = "webhooks", description = "Where events are delivered, signed."),
        (name = "sandbox", description = "The simulated network of test mode."),
        (name = "admin", description = "For the operator: keys and users of the first account."),
    ),
    modifiers(&Conventions)
)]
struct Document;

/// What holds for every operation and is therefore said once: credentials with their scopes, and problems.
struct Conventions;

impl Modify for Conventions {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, or the access token of a sign-in. The list says which scope is needed: of the key, or of the user's role in the account."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))),
        );
    }
}

/// The answers that any operation may give besides its own.
const PROBLEMS: &[(&str, &str)] = &[
    ("401", "The credential is missing or not valid"),
    ("403", "The credential may not do this"),
    ("404", "There is no such thing, or it belongs to another account"),
    ("422", "The request is not valid"),
    ("429", "Too many requests"),
    ("500", "Something went wrong here"),
    ("503", "The service cannot do this right now"),
];
/// Those of operations that change something or take a body.
const WRITE_PROBLEMS: &[(&str, &str)] = &[
    ("409", "Something stands against it"),
    ("413", "The body is larger than 4 MiB"),
    ("415", "The body is not JSON"),
];

fn complete(operation: &mut Operation, writes: bool) {
    let more = if writes { WRITE_PROBLEMS } else { &WRITE_PROBLEMS[..1] };
    for (status, description) in PROBLEMS.iter().chain(more) {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response =
            ResponseBuilder::new().description(*description).content("application/problem+json", content);
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| response.build().into());
    }
    // Those that need no credential, or a user, say so themselves.
    let tag = operation.tags.iter().flatten().next();
    let scopes: Vec<String> = tag.and_then(|tag| scope(tag, !writes)).into_iter().collect();
    operation.security.get_or_insert_with(|| {
        vec![SecurityRequirement::new("bearer", scopes.clone()), SecurityRequirement::new("api_key", scopes)]
    });
}

/// The scope that an operation with this tag needs: tags are resources. The extractors check it; that both agree is what
/// the authorisation matrix of `tests/api` is for.
fn scope(tag: &str, reads: bool) -> Option<String> {
    match (tag, reads) {
        ("auth" | "me", _) => None,
        ("messages", false) => Some("messages:send".to_owned()),
        (resource, true) => Some(format!("{resource}:read")),
        (resource, false) => Some(format!("{resource}:write")),
    }
}

/// The routes as a service, and the document.
pub(crate) fn with_document(routes: OpenApiRouter<Api>) -> (Router<Api>, openapi::OpenApi) {
    let (router, mut document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(routes).split_for_parts();
    for item in document.paths.paths.values_mut() {
        item.get.iter_mut().for_each(|operation| complete(operation, false));
        let writes = [&mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        writes.into_iter().flatten().for_each(|operation| complete(operation, true));
    }
    document.servers = Some(vec![openapi::Server::new("/api/v1")]);
    (router, document)
}

/// The document as JSON, for the committed file and for whoever generates clients from it.
pub fn document() -> String {
    let (_, document) = with_document(routes::versioned());
    document.to_pretty_json().unwrap_or_default()
}
