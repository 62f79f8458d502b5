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

/// A mail's words, between which the token stands. `{account}` is the name of an account.
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

const INVITATION: Words = Words {
    subject: "You are invited to an account at Waxwing",
    begins: "you are invited to become a member of the account “{account}” at Waxwing. To accept, use this code:",
    call: "POST /api/v1/invitations/accept",
    ends: "If you do not know who invites you, ignore this mail.",
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

    /// Lets somebody become a member of the account with this name.
    pub(crate) fn invitation(to: String, account: &str, token: Secret, expires_at: Timestamp) -> Self {
        Self::about(&INVITATION, account, to, token, expires_at)
    }

    fn with(words: &Words, to: String, token: Secret, expires_at: Timestamp) -> Self {
        Self::about(words, "", to, token, expires_at)
    }

    fn about(words: &Words, account: &str, to: String, token: Secret, expires_at: Timestamp) -> Self {
        let Words { subject, begins, call, ends } = words;
        let until = expires_at.strftime("%Y-%m-%d %H:%M UTC");
        // The name is all that a stranger wrote of a mail: one line of it, and no markup. No token needs escaping.
        let account: String =
            account.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        let (code, html_begins) = (&token.0, begins.replace("{account}", &escaped(&account)));
        let begins = begins.replace("{account}", &account);
        let text = format!(
            "Hello,\n\n{begins}\n\n{code}\n\nIt is good once, until {until}. Programs send it to {call}.\n\n{ends}\n"
        );
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{subject}</title>\
             <body style=\"font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem\">\
             <p>Hello,</p><p>{html_begins}</p><p><code style=\"word-break:break-all\">{code}</code></p>\
             <p>It is good once, until {until}. Programs send it to <code>{call}</code>.</p><p>{ends}</p></body></html>"
        );
        let (text, html) = (Secret(text), Secret(html));
        Self { to, subject: (*subject).to_owned(), text, html, token: Some(token) }
    }
}

/// As text of an HTML document.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, char| {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_look_as_they_did() {
        type Make = fn(String, Secret, Timestamp) -> Mail;
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let makes: [(&str, Make); 5] = [
            ("verification", Mail::verification),
            ("password_reset", Mail::password_reset),
            ("old_address", Mail::old_address),
            ("new_address", Mail::new_address),
            ("invitation", |to, token, at| Mail::invitation(to, "Ada & Sons", token, at)),
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

    #[test]
    fn the_name_of_an_account_is_text_and_one_line() {
        let name = "<script>alert('1')</script>\r\nBcc: eve@example.com \"&amp;";
        let mail = Mail::invitation(
            "ada@example.com".to_owned(),
            name,
            Secret("TOKEN".to_owned()),
            Timestamp::from_second(1_800_000_000).unwrap(),
        );
        assert!(!mail.html.0.contains("<script") && mail.html.0.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(mail.html.0.contains("&quot;&amp;amp;"));
        assert!(mail.text.0.contains("</script>  Bcc: eve@example.com") && !mail.text.0.contains('\r'));
    }
}
