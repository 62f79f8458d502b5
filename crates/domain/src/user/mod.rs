//! A person who logs in. Users are global: their streams belong to the system account.

mod command;
mod error;
mod event;
mod second_factor;
#[cfg(test)]
mod tests;

pub use command::{Proof, UserCommand};
pub use error::UserError;
pub use event::{
    EmailChangeConfirmed, EmailChangeRequested, EmailChanged, EmailVerified, JoinedAccount, LeftAccount,
    PasswordChanged, PasswordRehashed, PasswordResetRequested, RecoveryCodeUsed, SignedOutEverywhere,
    TotpDisabled, TotpEnabled, TotpOffered, UserDeleted, UserEvent, UserRegistered, UserRenamed,
    VerificationRequested,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use second_factor::SecondFactor;

use crate::Secret;

/// Longest name of a person, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Most accounts that one user belongs to.
pub const ACCOUNTS_MAX: usize = 100;
/// While a change of address that was asked for, or the last mail that proves an address, is younger than this, no other is taken
/// up: nobody's mailbox is flooded.
pub const MAIL_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Most mails with the same token that proves an address.
pub const VERIFICATIONS_MAX: u32 = 10;

/// State of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    registered: Option<UserRegistered>,
    joined: Vec<JoinedAccount>,
    /// The address has to be proven before the first sign-in.
    unproven: bool,
    verification: Option<Outstanding>,
    reset: Option<Outstanding>,
    /// Sign-ins from before are over.
    #[serde(default)]
    signed_out_at: Option<Timestamp>,
    #[serde(default)]
    email_change: Option<EmailChange>,
    #[serde(default)]
    second_factor: SecondFactor,
    #[serde(default)]
    deleted: bool,
}

/// Another address that both have to agree to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct EmailChange {
    to: String,
    asked_at: Timestamp,
    expires_at: Timestamp,
    /// The nonces of the two mails, and whether each address agreed.
    sides: [(Secret, bool); 2],
}

impl EmailChange {
    fn is_agreed(&self) -> bool {
        self.sides.iter().all(|(_, agreed)| *agreed)
    }
}

/// A mail on its way, whose token was not used yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outstanding {
    nonce: Secret,
    asked_at: Timestamp,
    expires_at: Timestamp,
    /// How often it was sent.
    asked: u32,
}

impl Outstanding {
    fn proven_by(&self, nonce: &Secret, at: Timestamp) -> bool {
        self.nonce == *nonce && at < self.expires_at
    }
}

impl User {
    /// Address, name, when; `None` for a user that does not exist.
    pub fn registered(&self) -> Option<&UserRegistered> {
        self.registered.as_ref()
    }

    /// The argon2id hash of the current password.
    pub fn password_hash(&self) -> Option<&Secret> {
        self.registered.as_ref().map(|registered| &registered.password_hash)
    }

    /// Which accounts the user joined, and as what at first, oldest first. Whether the user is still a member only the
    /// account knows.
    pub fn joined(&self) -> &[JoinedAccount] {
        &self.joined
    }

    /// True unless the address still has to be proven.
    pub fn is_verified(&self) -> bool {
        self.registered.is_some() && !self.unproven
    }

    /// True when a sign-in of this time goes on: neither did the password change since, nor did the user end all.
    pub fn keeps_sign_in(&self, started_at: Timestamp) -> bool {
        self.registered.is_some() && self.signed_out_at.is_none_or(|ended| ended <= started_at)
    }

    /// The address to which this user's is to change, once both have agreed.
    pub fn agreed_email(&self) -> Option<&str> {
        self.email_change.as_ref().filter(|change| change.is_agreed()).map(|change| &*change.to)
    }

    /// The nonces of the mails to the two addresses.
    pub fn email_change_nonces(&self) -> impl Iterator<Item = &Secret> {
        self.email_change.iter().flat_map(|change| change.sides.iter().map(|(nonce, _)| nonce))
    }

    /// The secret of the second factor, in base32, where one is needed.
    pub fn totp_secret(&self) -> Option<&Secret> {
        self.second_factor.secret()
    }

    /// The secret that was offered last, in base32.
    pub fn offered_totp_secret(&self, at: Timestamp) -> Option<&Secret> {
        self.second_factor.offered(at)
    }

    /// Keyed hashes of the recovery codes that were not used yet.
    pub fn recovery_hashes(&self) -> &[Secret] {
        self.second_factor.recovery_hashes()
    }

    /// The nonce whose token proves the address.
    pub fn verification_nonce(&self) -> Option<&Secret> {
        self.verification.as_ref().map(|outstanding| &outstanding.nonce)
    }

    /// The nonce whose token allows another password.
    pub fn reset_nonce(&self) -> Option<&Secret> {
        self.reset.as_ref().map(|outstanding| &outstanding.nonce)
    }

    /// Which events follow from the command.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        let Some(user) = &self.registered else {
            return match command {
                _ if self.deleted => Err(UserError::NotFound),
                UserCommand::Register { email, name, password_hash, account, role, verification, at } => {
                    let joined = JoinedAccount { account, role, at };
                    register(UserRegistered { email, name, password_hash, at }, joined, verification)
                },
                _ => Err(UserError::NotFound),
            };
        };
        use UserCommand as C;
        match command {
            C::Register { .. } => Err(UserError::AlreadyExists),
            C::ChangePassword { password_hash, at } => Ok(vec![PasswordChanged { password_hash, at }.into()]),
            C::Rehash { verified, .. } if verified != user.password_hash => Ok(vec![]),
            C::Rehash { password_hash, at, .. } => Ok(vec![PasswordRehashed { password_hash, at }.into()]),
            C::VerifyEmail { nonce, at } => match &self.verification {
                Some(sent) if sent.proven_by(&nonce, at) => Ok(vec![EmailVerified { at }.into()]),
                _ => Err(UserError::InvalidToken),
            },
            C::RequestVerification { proof, at } => Ok(self.verification_again(proof, at)),
            C::RequestPasswordReset { proof, at } => match &self.reset {
                // Whoever asks again and again neither voids the owner's token nor fills the stream.
                Some(sent) if at < sent.expires_at => Ok(vec![]),
                _ => {
                    let (email, Proof { nonce, expires_at }) = (user.email.clone(), proof);
                    Ok(vec![PasswordResetRequested { email, nonce, expires_at, at }.into()])
                },
            },
            C::ResetPassword { nonce, password_hash, at } => match &self.reset {
                Some(sent) if sent.proven_by(&nonce, at) => {
                    let changed = PasswordChanged { password_hash, at }.into();
                    // The token came to the address, so it proves the address, too.
                    Ok(match self.unproven {
                        true => vec![changed, EmailVerified { at }.into()],
                        false => vec![changed],
                    })
                },
                _ => Err(UserError::InvalidToken),
            },
            C::ProveByInvitation { name, password_hash, at } => match (self.unproven, is_name(&name)) {
                // Whoever registered with the address before did not show that it is theirs.
                (true, true) => Ok(vec![
                    PasswordChanged { password_hash, at }.into(),
                    EmailVerified { at }.into(),
                    UserRenamed { name, at }.into(),
                ]),
                (true, false) => Err(UserError::InvalidName),
                (false, _) => Err(UserError::AlreadyExists),
            },
            C::JoinAccount { account, role, at } => {
                match (self.joined.iter().any(|joined| joined.account == account), self.joined.len()) {
                    (true, _) => Ok(vec![]),
                    (false, ACCOUNTS_MAX..) => Err(UserError::TooManyAccounts),
                    (false, _) => Ok(vec![JoinedAccount { account, role, at }.into()]),
                }
            },
            C::LeaveAccount { account, at } => {
                match self.joined.iter().any(|joined| joined.account == account) {
                    true => Ok(vec![LeftAccount { account, at }.into()]),
                    false => Ok(vec![]),
                }
            },
            C::Rename { name, .. } if user.name.as_ref() == Some(&name) => Ok(vec![]),
            C::Rename { name, at } => match is_name(&name) {
                true => Ok(vec![UserRenamed { name, at }.into()]),
                false => Err(UserError::InvalidName),
            },
            C::RequestEmailChange { to, .. } if !is_address(&to) => Err(UserError::InvalidEmail),
            C::RequestEmailChange { to, .. } if to == user.email => Ok(vec![]),
            C::RequestEmailChange { to, old, new, at } => match &self.email_change {
                Some(sent) if is_fresh(sent.asked_at, at) => Err(UserError::TooSoon),
                _ => {
                    let (from, expires_at) = (user.email.clone(), new.expires_at);
                    let (old_nonce, new_nonce) = (old.nonce, new.nonce);
                    Ok(vec![EmailChangeRequested { from, to, old_nonce, new_nonce, expires_at, at }.into()])
                },
            },
            C::ConfirmEmailChange { nonce, at } => self.confirm_email_change(nonce, at),
            C::CompleteEmailChange { to, at } => self.complete_email_change(to, at),
            C::Delete { at } => Ok(vec![UserDeleted { at }.into()]),
            C::SignOutEverywhere { at } => Ok(vec![SignedOutEverywhere { at }.into()]),
            C::OfferTotp { .. }
            | C::EnableTotp { .. }
            | C::UseRecoveryCode { .. }
            | C::DisableTotp { .. } => self.second_factor.decide(command),
        }
    }

    fn confirm_email_change(&self, nonce: Secret, at: Timestamp) -> Result<Vec<UserEvent>, UserError> {
        let change = self.email_change.as_ref().filter(|change| at < change.expires_at);
        let side = change.and_then(|change| change.sides.iter().find(|(of_side, _)| *of_side == nonce));
        match side {
            Some((_, false)) => Ok(vec![EmailChangeConfirmed { nonce, at }.into()]),
            // Once more, since what follows did not happen the first time.
            Some((_, true)) => Ok(vec![]),
            None => Err(UserError::InvalidToken),
        }
    }

    fn complete_email_change(&self, to: String, at: Timestamp) -> Result<Vec<UserEvent>, UserError> {
        match &self.email_change {
            Some(change) if change.to == to && change.is_agreed() => {
                Ok(vec![EmailChanged { email: to, at }.into()])
            },
            _ => Err(UserError::InvalidToken),
        }
    }

    /// The mail once more, with the same token as long as that is good: whoever asks again voids nothing.
    fn verification_again(&self, proof: Proof, at: Timestamp) -> Vec<UserEvent> {
        let (Some(user), Some(sent)) = (&self.registered, &self.verification) else { return vec![] };
        let good = at < sent.expires_at;
        if is_fresh(sent.asked_at, at) || good && sent.asked >= VERIFICATIONS_MAX {
            return vec![];
        }
        let email = user.email.clone();
        let (nonce, expires_at) = match good {
            true => (sent.nonce.clone(), sent.expires_at),
            false => (proof.nonce, proof.expires_at),
        };
        vec![VerificationRequested { email, nonce, expires_at, at }.into()]
    }

    fn apply_event(&mut self, event: UserEvent) {
        use UserEvent as E;
        match event {
            E::Registered(registered) => self.registered = Some(registered),
            E::JoinedAccount(joined) => self.joined.push(joined),
            E::LeftAccount(left) => self.joined.retain(|joined| joined.account != left.account),
            E::VerificationRequested(VerificationRequested { nonce, expires_at, at, .. }) => {
                self.unproven = true;
                let before = self.verification.as_ref().filter(|sent| sent.nonce == nonce);
                let asked = before.map_or(0, |sent| sent.asked) + 1;
                self.verification = Some(Outstanding { nonce, asked_at: at, expires_at, asked });
            },
            E::EmailVerified(_) => {
                self.unproven = false;
                self.verification = None;
            },
            E::PasswordResetRequested(PasswordResetRequested { nonce, expires_at, at, .. }) => {
                self.reset = Some(Outstanding { nonce, asked_at: at, expires_at, asked: 1 });
            },
            E::PasswordChanged(PasswordChanged { password_hash, at }) => {
                self.signed_out_at = Some(at);
                self.reset = None;
                // Whoever asked for it may have known the password of before.
                self.email_change = None;
                self.know(|user| user.password_hash = password_hash);
            },
            E::PasswordRehashed(PasswordRehashed { password_hash, .. }) => {
                self.know(|user| user.password_hash = password_hash);
            },
            E::Renamed(UserRenamed { name, .. }) => self.know(|user| user.name = Some(name)),
            E::EmailChangeRequested(asked) => {
                let EmailChangeRequested { to, old_nonce, new_nonce, expires_at, at, .. } = asked;
                let sides = [(old_nonce, false), (new_nonce, false)];
                self.email_change = Some(EmailChange { to, asked_at: at, expires_at, sides });
            },
            E::EmailChangeConfirmed(EmailChangeConfirmed { nonce, .. }) => {
                for (of_side, agreed) in self.email_change.iter_mut().flat_map(|change| &mut change.sides) {
                    *agreed |= *of_side == nonce;
                }
            },
            E::EmailChanged(EmailChanged { email, .. }) => {
                self.email_change = None;
                // A link that went to the address of before is worth nothing now.
                self.reset = None;
                self.know(|user| user.email = email);
            },
            // Nothing is known of the user any more.
            E::Deleted(_) => *self = Self { deleted: true, ..Self::default() },
            E::SignedOutEverywhere(SignedOutEverywhere { at }) => self.signed_out_at = Some(at),
            E::TotpOffered(_) | E::TotpEnabled(_) | E::RecoveryCodeUsed(_) | E::TotpDisabled(_) => {
                self.second_factor.apply(event);
            },
        }
    }

    fn know(&mut self, change: impl FnOnce(&mut UserRegistered)) {
        if let Some(user) = &mut self.registered {
            change(user);
        }
    }
}

fn is_fresh(asked_at: Timestamp, at: Timestamp) -> bool {
    at.duration_since(asked_at) < MAIL_PAUSE
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count())
}

fn register(
    registered: UserRegistered,
    joined: JoinedAccount,
    verification: Option<Proof>,
) -> Result<Vec<UserEvent>, UserError> {
    if !is_address(&registered.email) {
        return Err(UserError::InvalidEmail);
    }
    if !registered.name.as_deref().is_none_or(is_name) {
        return Err(UserError::InvalidName);
    }
    let (email, at) = (registered.email.clone(), registered.at);
    let asked = verification
        .map(|Proof { nonce, expires_at }| VerificationRequested { email, nonce, expires_at, at }.into());
    Ok([registered.into(), joined.into()].into_iter().chain(asked).collect())
}

/// Only what would break elsewhere: that mail arrives is proven by mail.
pub(crate) fn is_address(email: &str) -> bool {
    let parts = email.split_once('@');
    email.len() <= 254
        && !email.chars().any(|char| char.is_whitespace() || char.is_control())
        && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

aggregate!(User, "user", UserCommand, UserEvent, UserError);
