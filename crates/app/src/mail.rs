//! What mails say.

use waxwing_domain::{Secret, Timestamp};

/// A mail to one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For people whose program shows no HTML.
    pub text: Secret,
    /// The same as HTML.
    pub html: Secret,
    /// The token that it carries.
    pub token: Option<Secret>,
}

/// A mail's words, between which the token stands.
struct Words {
    subject: &'static str,
    begins: &'static str,
    call: &'static str,
    ends: &'static str,
}

const VERIFICATION: Words = Words {
    subject: "Confirm your address for Waxwing",
    begins: "somebody, hopefully you, registered at Waxwing with this address. To confirm it, use this code:",
    call: "POST /api/v1/auth/verify-email",
    ends: "If it was not you, ignore this mail: without the code nobody can sign in with your address.",
};

const PASSWORD_RESET: Words = Words {
    subject: "Choose another password for Waxwing",
    begins: "somebody, hopefully you, wants to choose another password at Waxwing. To do that, use this code:",
    call: "POST /api/v1/auth/reset-password",
    ends: "If it was not you, ignore this mail: your password stays as it is.",
};

const OLD_ADDRESS: Words = Words {
    subject: "Your address at Waxwing is to change",
    begins: "somebody, hopefully you, wants to use another address at Waxwing in place of this one. To agree, use this code:",
    call: "POST /api/v1/auth/confirm-email-change",
    ends: "If it was not you, do not use the code, and choose another password: somebody knows yours.",
};

const NEW_ADDRESS: Words = Words {
    subject: "Confirm your new address for Waxwing",
    begins: "somebody, hopefully you, wants to use this address at Waxwing from now on. To confirm it, use this code:",
    call: "POST /api/v1/auth/confirm-email-change",
    ends: "If it was not you, ignore this mail.",
};

impl Mail {
    /// Proves an address.
    pub(crate) fn verification(to: String, token: Secret, expires_at: Timestamp) -> Self {
        Self::with(&VERIFICATION, to, token, expires_at)
    }

    /// Allows another password.
    pub(crate) fn password_reset(to: String, token: Secret, expires_at: Timestamp) -> Self {
        Self::with(&PASSWORD_RESET, to, token, expires_at)
    }

    /// Lets the user have another address, on the side of the one of now.
    pub(crate) fn old_address(to: String, token: Secret, expires_at: Timestamp) -> Self {
        Self::with(&OLD_ADDRESS, to, token, expires_at)
    }

    /// Lets the user have another address, on the side of that one.
    pub(crate) fn new_address(to: String, token: Secret, expires_at: Timestamp) -> Self {
        Self::with(&NEW_ADDRESS, to, token, expires_at)
    }

    fn with(words: &Words, to: String, token: Secret, expires_at: Timestamp) -> Self {
        let Words { subject, begins, call, ends } = words;
        let until = expires_at.strftime("%Y-%m-%d %H:%M UTC");
        // Nothing of what a stranger wrote stands in a mail, and no token needs escaping.
        let code = &token.0;
        let text = format!(
            "Hello,\n\n{begins}\n\n{code}\n\nIt is good once, until {until}. Programs send it to {call}.\n\n{ends}\n"
        );
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{subject}</title>\
             <body style=\"font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem\">\
             <p>Hello,</p><p>{begins}</p><p><code style=\"word-break:break-all\">{code}</code></p>\
             <p>It is good once, until {until}. Programs send it to <code>{call}</code>.</p><p>{ends}</p></body></html>"
        );
        let (text, html) = (Secret(text), Secret(html));
        Self { to, subject: (*subject).to_owned(), text, html, token: Some(token) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_look_as_they_did() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let makes: [(&str, fn(String, Secret, Timestamp) -> Mail); 4] = [
            ("verification", Mail::verification),
            ("password_reset", Mail::password_reset),
            ("old_address", Mail::old_address),
            ("new_address", Mail::new_address),
        ];
        for (name, make) in makes {
            let mail = make("ada@example.com".to_owned(), Secret("TOKEN".to_owned()), at);
            assert_eq!(mail.token, Some(Secret("TOKEN".to_owned())));
            insta::assert_snapshot!(
                format!("{name}.text"),
                format!("Subject: {}\n\n{}", mail.subject, mail.text.0)
            );
            insta::assert_snapshot!(format!("{name}.html"), mail.html.0);
        }
    }
}
