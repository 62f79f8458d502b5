//! Mails by Amazon SES.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sesv2::{
    Client,
    error::DisplayErrorContext,
    types::{Body, Content, Destination, EmailContent, Message},
};
use waxwing_app::{
    mail::Mail,
    ports::{MailError, Mailer, PortError},
};

/// Hands mails to SES (API version 2).
pub struct SesMailer {
    client: Client,
    from: String,
}

impl SesMailer {
    /// `from` is the sender's address: one of an identity that SES has verified.
    pub fn new(config: &SdkConfig, from: String) -> Self {
        Self { client: Client::new(config), from }
    }
}

fn content(text: &str) -> Result<Content, MailError> {
    let content = Content::builder().charset("UTF-8").data(text).build();
    content.map_err(|error| MailError::Refused(format!("it cannot be written: {error}")))
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError> {
        let Mail { to, subject, text, html, token: _ } = mail;
        let body = Body::builder().text(content(&text.0)?).html(content(&html.0)?).build();
        let message = Message::builder().subject(content(subject)?).body(body).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // The address is none. That the sender is not verified, or SES's own sandbox lets nobody else be written to, is
            // `MessageRejected`, and the operator mends it.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_bad_request_exception()) => {
                Err(MailError::Refused("SES takes no such mail (BadRequestException)".to_owned()))
            },
            Err(error) => {
                let code = error.as_service_error().and_then(|error| error.meta().code());
                let reason = code.map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned);
                tracing::debug!(mail = id, reason, "SES does not take a mail yet");
                Err(PortError::Unavailable(format!("SES: {reason}")).into())
            },
        }
    }
}
