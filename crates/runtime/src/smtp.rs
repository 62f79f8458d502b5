//! Mails by way of a mail server.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
};
use waxwing_app::{
    mail::Mail,
    ports::{MailError, Mailer, PortError},
};

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no way to the mail server.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// Not an address.
    #[error(
        "the sender's address cannot be read; expected for instance `Waxwing <waxwing@example.com>`: {0}"
    )]
    From(lettre::address::AddressError),
    /// Not the URL of a mail server.
    #[error(
        "the mail server's URL cannot be read; expected for instance `smtps://user:password@mail.example.com`, or `smtp://…?tls=required`: {0}"
    )]
    Url(lettre::transport::smtp::Error),
}

/// Hands mails to a mail server (RFC 5321).
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// `url` with user and password, as `lettre` reads it; `from` is what people see as the sender.
    pub fn new(url: &str, from: &str) -> Result<Self, SmtpError> {
        crate::install_tls();
        let from = from.parse().map_err(SmtpError::From)?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(SmtpError::Url)?;
        Ok(Self { transport: builder.timeout(Some(TIMEOUT)).build(), from })
    }

    fn message(&self, id: &str, mail: &Mail) -> Result<Message, MailError> {
        // Nobody can have such an address.
        let unusable =
            |error: &dyn std::fmt::Display| MailError::Refused(format!("it cannot be written: {error}"));
        let to: Mailbox = mail.to.parse().map_err(|error| unusable(&error))?;
        // The same for the same mail: where it is sent twice, after a crash, mail programs show it once.
        let local: String =
            id.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '.' }).collect();
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&*mail.subject)
            .message_id(Some(format!("<{local}@{}>", self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(mail.text.0.clone(), mail.html.0.clone()))
            .map_err(|error| unusable(&error))
    }
}

/// True where the recipient or the mail is refused (RFC 5321, section 4.2.3), or the server cannot take an address of this
/// form. Everything else, a wrong password too, can be mended, and the mail waits.
fn is_about_the_mail(error: &lettre::transport::smtp::Error) -> bool {
    error.is_client() || error.status().is_some_and(|code| (550..=554).contains(&u16::from(code)))
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(id, mail)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match (error.status(), is_about_the_mail(&error)) {
                // What a server says may name the address, which belongs into no log: the code has to do.
                (Some(code), true) => MailError::Refused(format!("the mail server answered {code}")),
                (Some(code), false) => {
                    PortError::Unavailable(format!("the mail server answered {code}")).into()
                },
                (None, true) => MailError::Refused("the mail server cannot take such an address".to_owned()),
                (None, false) => PortError::Unavailable(format!("the mail server: {error}")).into(),
            }),
        }
    }
}
