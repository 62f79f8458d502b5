//! What the simulated network refuses besides what stands in the common table.

use axum::http::StatusCode;

use super::Kind;

pub(super) const KINDS: &[Kind] = &[
    (
        "phone_not_allowed",
        StatusCode::FORBIDDEN,
        "The phone may not do this",
        "In a group some things are for its admins, or for its members. The detail says which.",
    ),
    (
        "group_not_found",
        StatusCode::NOT_FOUND,
        "There is no such group in the sandbox",
        "A group is there for its members only: name one of them, or make it with `POST /sandbox/groups`.",
    ),
    (
        "group_limit",
        StatusCode::CONFLICT,
        "The network has as many groups as it can have",
        "Use the groups that are there: `GET /sandbox/groups`.",
    ),
    (
        "member_limit",
        StatusCode::CONFLICT,
        "The group has as many members as it can have",
        "WhatsApp allows 1,024.",
    ),
    ("already_member", StatusCode::CONFLICT, "The phone is a member already", "There is nothing to do."),
    (
        "invalid_invite",
        StatusCode::UNPROCESSABLE_ENTITY,
        "No group has this invite code",
        "A code is over when the group gets a new one: `GET /sandbox/groups/{group}/invite` has the current one.",
    ),
    (
        "call_not_found",
        StatusCode::NOT_FOUND,
        "The phone has made no such call",
        "Use the `call_id` that making the call gave. A phone remembers its newest 1,000 calls.",
    ),
    (
        "device_not_found",
        StatusCode::NOT_FOUND,
        "The phone has linked no such device",
        "`GET /sandbox/phones/{number}/companions` lists those that it has.",
    ),
    (
        "message_not_found",
        StatusCode::NOT_FOUND,
        "The phone has no such message",
        "`target` is the `whatsapp_id` of a message that the phone got or sent.",
    ),
    (
        "no_code_shown",
        StatusCode::CONFLICT,
        "No session shows a code for this phone",
        "Ask for a code with `POST /sessions/{id}/pairing-code` first, for this phone's number.",
    ),
    (
        "wrong_code",
        StatusCode::UNPROCESSABLE_ENTITY,
        "This is not the code that the session shows",
        "The right one still works.",
    ),
    (
        "code_expired",
        StatusCode::CONFLICT,
        "The code is no longer shown",
        "Ask for another with `POST /sessions/{id}/pairing-code`.",
    ),
];
