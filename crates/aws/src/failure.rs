//! What AWS refuses or fails at, as the five errors of the ports.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use waxwing_app::ports::PortError;

/// Why a transaction's write was refused: its condition does not hold.
pub(crate) const CONDITION_FAILED: &str = "ConditionalCheckFailed";
/// Why a transaction's write was refused: reasons that pass.
pub(crate) const IN_THE_WAY: &[&str] =
    &["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// What no state of a table could make right.
pub(crate) fn refused(problem: impl std::fmt::Display) -> PortError {
    PortError::Corrupt(format!("refused: {problem}"))
}

/// The error for a call to `target`, which names a table, key or secret.
pub(crate) fn port_error<E>(target: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let answer = answer.err();
            let code = answer.code().unwrap_or("an error without a code");
            service_error(target, code, answer.message().unwrap_or("no explanation"))
        },
        silence => {
            let cause = last_cause(silence);
            match cause.to_lowercase().contains("credential") {
                true => {
                    PortError::Unavailable(format!("{target}: there are no usable AWS credentials: {cause}"))
                },
                false => PortError::Unavailable(format!("{target}: {cause}")),
            }
        },
    }
}

fn service_error(target: &str, code: &str, message: &str) -> PortError {
    let text = format!("{target}: {code}: {message}");
    match code {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "ThrottlingError"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "TransactionConflictException"
        | "TransactionConflict"
        | "ProvisionedThroughputExceeded"
        | "TransactionInProgressException" => PortError::Throttled(text),
        "ConditionalCheckFailedException" => PortError::Conflict(text),
        "ResourceNotFoundException" | "NotFoundException" => PortError::Unavailable(format!(
            "{target} does not exist in this AWS account and region ({message})"
        )),
        "ValidationException"
        | "ValidationError"
        | "SerializationException"
        | "ItemCollectionSizeLimitExceededException"
        | "ItemCollectionSizeLimitExceeded"
        | "InvalidCiphertextException"
        | "IncorrectKeyException" => refused(text),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException" => {
            PortError::Unavailable(format!("{target}: the AWS credentials were refused ({code}: {message})"))
        },
        "AccessDeniedException" | "AccessDenied" => PortError::Unavailable(format!(
            "{target}: the AWS credentials do not allow this ({code}: {message})"
        )),
        _ => PortError::Unavailable(text),
    }
}

/// What a transaction's item was refused for.
pub(crate) fn cancellation(target: &str, code: &str, message: Option<&str>) -> PortError {
    service_error(target, code, message.unwrap_or("no explanation"))
}

/// True when the call may have taken effect all the same.
pub(crate) fn may_have_happened<E>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(answer) => answer.raw().status().is_server_error(),
        _ => true,
    }
}

fn last_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
