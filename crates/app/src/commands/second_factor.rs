//! The second factor: an authenticator app (TOTP, RFC 6238), and recovery codes that replace it once each.
//!
//! A code is good for its half minute and the ones beside it, and once: the row of a user's last code only moves on.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use totp_rs::{Algorithm, Builder, Totp};
use waxwing_domain::{
    AccountId, Secret, UserId,
    user::{User, UserCommand, UserError},
};

use super::{Commands, ProfileError, create_account::UserCommandError};
use crate::{
    execute::Cause,
    keys,
    ports::{EntropyExt, Guard, PortError, Row, Write},
};

/// How long an offer waits for its first code.
const OFFER_TTL: SignedDuration = SignedDuration::from_mins(15);
/// Seconds for which a code is shown.
const STEP_S: u64 = 30;
/// Codes before and after the one of now that are good, too: clocks differ, and people type.
const SKEW: u16 = 1;
/// Random bytes of a secret (RFC 4226, section 4).
const SECRET_LEN: usize = 20;
/// How many recovery codes a user gets.
const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code, 5 bits each.
const RECOVERY_CODE_LEN: usize = 16;
/// No two look alike.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
const ISSUER: &str = "Waxwing";

/// What an authenticator app has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpOffer {
    /// In base32, for those who type it.
    pub secret: Secret,
    /// As a URL, for those who scan it as a QR code.
    pub otpauth_url: Secret,
}

fn totp(secret: &Secret, email: &str) -> Result<Totp, PortError> {
    let corrupt = |error: String| PortError::Corrupt(format!("the secret of a second factor: {error}"));
    let secret = totp_rs::Secret::try_from_base32(&secret.0).map_err(|error| corrupt(error.to_string()))?;
    // A colon separates issuer and name in the URL.
    let name = email.replace(':', "");
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP_S)
        .with_secret(secret)
        .with_issuer(Some(ISSUER))
        .with_account_name(name)
        .build()
        .map_err(|error| corrupt(error.to_string()))
}

/// A recovery code as people may type it.
fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect()
}

impl Commands {
    /// Offers a user who knows the password a second factor. An earlier offer is void.
    pub async fn offer_totp(
        &self,
        id: UserId,
        password: &Secret,
        cause: &Cause,
    ) -> Result<TotpOffer, ProfileError> {
        let user = self.knowing(id, password).await?;
        let bytes: [u8; SECRET_LEN] = self.entropy.bytes();
        let secret = Secret(totp_rs::Secret::from(&bytes[..]).to_base32());
        let email = user.registered().map_or("", |registered| &registered.email);
        let url = totp(&secret, email)?.to_url().map_err(|error| PortError::Corrupt(error.to_string()))?;
        let at = self.ports.clock.now();
        let offer = UserCommand::OfferTotp { secret: secret.clone(), expires_at: at + OFFER_TTL, at };
        self.user_command(id, offer, cause).await?;
        Ok(TotpOffer { secret, otpauth_url: Secret(url) })
    }

    /// Makes the offered factor needed from now on, since its app shows the right code. The recovery codes, this once.
    pub async fn enable_totp(
        &self,
        id: UserId,
        code: &Secret,
        cause: &Cause,
    ) -> Result<Vec<Secret>, ProfileError> {
        let (user, _) = self.ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
        if user.totp_secret().is_some() {
            return Err(UserError::TotpEnabled.into());
        }
        let at = self.ports.clock.now();
        let secret = user.offered_totp_secret(at).cloned().ok_or(UserError::NoTotpOffered)?;
        if !self.is_fresh_code(id, &secret, code).await? {
            return Err(ProfileError::WrongCode);
        }
        let codes: Vec<Secret> = (0..RECOVERY_CODES).map(|_| self.draw_recovery_code()).collect();
        let recovery_hashes = codes.iter().map(|code| self.recovery_hash(id, &code.0)).collect();
        self.user_command(id, UserCommand::EnableTotp { secret, recovery_hashes, at }, cause).await?;
        Ok(codes)
    }

    /// Goes without a second factor again. Password and a code are needed.
    pub async fn disable_totp(
        &self,
        id: UserId,
        password: &Secret,
        code: &Secret,
        cause: &Cause,
    ) -> Result<(), ProfileError> {
        let user = self.knowing(id, password).await?;
        if user.totp_secret().is_none() {
            return Err(UserError::TotpDisabled.into());
        }
        if !self.passes_second_factor(id, &user, code, cause).await? {
            return Err(ProfileError::WrongCode);
        }
        let command = UserCommand::DisableTotp { at: self.ports.clock.now() };
        Ok(self.user_command(id, command, cause).await?)
    }

    /// True for a code of the app that was not used before, or a recovery code, which is used up by that.
    pub(super) async fn passes_second_factor(
        &self,
        id: UserId,
        user: &User,
        code: &Secret,
        cause: &Cause,
    ) -> Result<bool, PortError> {
        let Some(secret) = user.totp_secret() else { return Ok(true) };
        if self.is_fresh_code(id, secret, code).await? {
            return Ok(true);
        }
        let (hash, at) = (self.recovery_hash(id, &code.0), self.ports.clock.now());
        if !user.recovery_hashes().contains(&hash) {
            return Ok(false);
        }
        match self.user_command(id, UserCommand::UseRecoveryCode { hash, at }, cause).await {
            Ok(()) => Ok(true),
            Err(UserCommandError::User(_)) => Ok(false),
            Err(UserCommandError::Port(error)) => Err(error),
        }
    }

    /// True for a code that the app shows about now, and that nobody has used.
    async fn is_fresh_code(&self, id: UserId, secret: &Secret, code: &Secret) -> Result<bool, PortError> {
        let now = self.ports.clock.now();
        let time = u64::try_from(now.as_second()).unwrap_or_default();
        let digits: String = code.0.chars().filter(|char| !char.is_whitespace()).take(8).collect();
        // The step of the code; it has to be later than that of the last one that was used.
        let Some(step) = totp(secret, "user")?.check(&digits, time) else { return Ok(false) };
        let expires_at = now.checked_add(OFFER_TTL).ok();
        let key = keys::last_totp(id);
        let row = Row { key, value: Vec::new(), version: step, indexes: Vec::new(), expires_at };
        Ok(self.records.write_each(vec![Write::Put(row, Guard::Newer)]).await? == [true])
    }

    fn draw_recovery_code(&self) -> Secret {
        let random: [u8; RECOVERY_CODE_LEN] = self.entropy.bytes();
        let chars: Vec<char> =
            random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
        Secret(groups.join("-"))
    }

    fn recovery_hash(&self, id: UserId, code: &str) -> Secret {
        let text = format!("{id}\u{1f}{}", normal(code));
        Secret(URL_SAFE_NO_PAD.encode(self.ports.secrets.keyed_hash("recovery_code", text.as_bytes())))
    }
}
