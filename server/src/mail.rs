//! Where mails go: to a mail server, or into an outbox that the operator reads.

use std::sync::Arc;

use anyhow::Result;
use waxwing_app::{kept_mail::KeptMail, ports::Mailer, sent_mail::SentOnce};
use waxwing_runtime::SmtpMailer;

use crate::{cli::UpArgs, engine::Installation};

pub(crate) fn mailer(
    args: &UpArgs,
    installation: &Installation,
    kept: &Arc<KeptMail>,
) -> Result<Arc<dyn Mailer>> {
    let (Some(url), Some(from)) = (&args.smtp_url, &args.mail_from) else { return Ok(kept.clone()) };
    let Installation { engine, clock, .. } = installation;
    let mailer = Arc::new(SmtpMailer::new(url, from)?);
    Ok(Arc::new(SentOnce { mailer, records: engine.records(), clock: clock.clone() }))
}
