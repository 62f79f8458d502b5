//! Tokens that follow from the installation's key: access tokens (JWT), and those that mails carry.
//!
//! The key of both is derived from the root of keyed hashes: the master key of a data folder, the secret of a deployment.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use waxwing_domain::{AccountId, Secret, UserId};

use crate::ports::{PortError, SecretBox};

/// How long an access token is good.
pub const ACCESS_TOKEN_TTL: SignedDuration = SignedDuration::from_mins(15);
/// Which key signs. A later one gets a number and a header of its own, and this one is accepted until its last token is
/// over.
const KEY_ID: &str = "1";
/// The first part of every token, and the only one that is read: no token chooses its algorithm or its key.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256","kid":"1"}"#;
const ISSUER: &str = "waxwing";

/// What an access token says. `iss`, `iat` and `exp` are those of RFC 7519.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    /// Who signed in.
    pub(crate) sub: UserId,
    /// To which account.
    pub(crate) acc: AccountId,
    /// Which sign-in: it ends the token when it ends.
    pub(crate) sid: String,
    iat: i64,
    exp: i64,
}

/// An access token of a sign-in: a JWT (RFC 7519) signed with HMAC-SHA256 (RFC 7515, appendix A.1).
pub(crate) fn access_token(
    secrets: &dyn SecretBox,
    (sub, acc, sid): (UserId, AccountId, &str),
    now: Timestamp,
) -> Result<Secret, PortError> {
    let (iat, exp) = (now.as_second(), now.as_second() + ACCESS_TOKEN_TTL.as_secs());
    let claims = Claims { iss: ISSUER.to_owned(), sub, acc, sid: sid.to_owned(), iat, exp };
    let claims = serde_json::to_vec(&claims).map_err(|error| PortError::Corrupt(error.to_string()))?;
    Ok(Secret(signed(secrets, HEADER, &claims)))
}

/// What the token says, if it is one of ours and its time is not over.
pub(crate) fn read_access_token(secrets: &dyn SecretBox, token: &str, now: Timestamp) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    mac(secrets).chain_update(signed).verify_slice(&signature).ok()?;
    if header != URL_SAFE_NO_PAD.encode(HEADER) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.iss == ISSUER && now.as_second() < claims.exp).then_some(claims)
}

fn signed(secrets: &dyn SecretBox, header: &str, claims: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = mac(secrets).chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn mac(secrets: &dyn SecretBox) -> Hmac<Sha256> {
    let key = secrets.keyed_hash("access_token_key", KEY_ID.as_bytes());
    Hmac::new_from_slice(&key).expect("HMAC takes keys of any length")
}

/// What a mail's token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailPurpose {
    VerifyEmail,
    ResetPassword,
}

impl MailPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email_token",
            Self::ResetPassword => "reset_password_token",
        }
    }
}

/// The token that proves the nonce: whose it is, and a keyed hash. Neither the journal nor a backup of it contains it.
pub(crate) fn mail_token(
    secrets: &dyn SecretBox,
    purpose: MailPurpose,
    user: UserId,
    nonce: &Secret,
) -> Secret {
    let id = user.to_string();
    let hash = secrets.keyed_hash(purpose.as_str(), format!("{id}\u{1f}{}", nonce.0).as_bytes());
    let bare = id.split_once('_').map_or("", |(_, bare)| bare);
    Secret(format!("{bare}{}", URL_SAFE_NO_PAD.encode(hash)))
}

/// Whose token it says it is.
pub(crate) fn user_of_mail_token(token: &Secret) -> Option<UserId> {
    // 26 characters of the id, 43 of the hash.
    let bare = token.0.get(..26).filter(|_| token.0.len() == 69)?;
    UserId::parse(&format!("{}_{bare}", UserId::PREFIX)).ok()
}

/// True when both are the same, in constant time.
pub(crate) fn same(a: &Secret, b: &Secret) -> bool {
    a.0.as_bytes().ct_eq(b.0.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        envelope::RootKey,
        ports::{KeyedHash, Sealed},
    };

    /// The hashes of an installation, and nothing else of it.
    struct Hashes(RootKey);

    impl Hashes {
        fn new(byte: u8) -> Self {
            Self(RootKey::new(&Zeroizing::new([byte; 32])))
        }
    }

    #[async_trait]
    impl SecretBox for Hashes {
        async fn seal(&self, _: AccountId, _: &[u8], _: &[u8]) -> Result<Sealed, PortError> {
            unreachable!("nothing is sealed here")
        }

        async fn open(&self, _: AccountId, _: &[u8], _: &Sealed) -> Result<Vec<u8>, PortError> {
            unreachable!("nothing is opened here")
        }

        fn keyed_hash(&self, purpose: &str, data: &[u8]) -> KeyedHash {
            self.0.keyed_hash(purpose, data)
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn subject() -> (UserId, AccountId, &'static str) {
        (UserId::new(1, [1; 10]), AccountId::new(1, [2; 10]), "sid")
    }

    /// A token with whatever header and claims, signed with the key of `hashes`.
    fn forged(hashes: &Hashes, header: &str, claims: &serde_json::Value) -> String {
        signed(hashes, header, claims.to_string().as_bytes())
    }

    #[test]
    fn an_access_token_is_good_for_fifteen_minutes_where_it_was_made() {
        let (ours, theirs) = (Hashes::new(1), Hashes::new(2));
        let token = access_token(&ours, subject(), at(1_000)).unwrap();
        let read = read_access_token(&ours, &token.0, at(1_899)).unwrap();
        assert_eq!((read.sub, read.acc, read.sid.as_str()), subject());
        assert_eq!(read_access_token(&ours, &token.0, at(1_900)), None, "expired");
        assert_eq!(read_access_token(&theirs, &token.0, at(1_000)), None, "another key");
    }

    #[test]
    fn algorithm_key_and_issuer_are_ours_to_choose() {
        let ours = Hashes::new(1);
        let (sub, acc, sid) = subject();
        let claims = json!({ "iss": "waxwing", "sub": sub, "acc": acc, "sid": sid, "iat": 0, "exp": 2_000 });
        let reads = |header: &str, claims: &serde_json::Value| {
            read_access_token(&ours, &forged(&ours, header, claims), at(1_000)).is_some()
        };
        assert!(HEADER.contains(&format!(r#""kid":"{KEY_ID}""#)));
        assert!(reads(HEADER, &claims), "or the refusals below would prove nothing");
        assert!(!reads(&HEADER.replace("HS256", "none"), &claims));
        assert!(!reads(&HEADER.replace("HS256", "HS512"), &claims));
        assert!(!reads(&HEADER.replace("HS256", "RS256"), &claims));
        assert!(!reads(&HEADER.replace(KEY_ID, "2"), &claims));
        assert!(!reads(r#"{"alg":"HS256"}"#, &claims));
        let mut foreign = claims.clone();
        foreign["iss"] = json!("somebody");
        assert!(!reads(HEADER, &foreign));
        let mut endless = claims.clone();
        endless.as_object_mut().unwrap().remove("exp");
        assert!(!reads(HEADER, &endless));
        let unsigned = forged(&ours, &HEADER.replace("HS256", "none"), &claims);
        let unsigned = unsigned.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap();
        assert_eq!(read_access_token(&ours, &unsigned, at(1_000)), None);
        for text in ["", ".", "..", "a.b.c", "💥"] {
            assert_eq!(read_access_token(&ours, text, at(1_000)), None, "{text}");
        }
    }

    #[test]
    fn a_mails_token_says_whose_it_is_and_is_good_for_one_purpose() {
        let (ours, theirs) = (Hashes::new(1), Hashes::new(2));
        let (user, nonce) = (UserId::new(1, [1; 10]), Secret("nonce".to_owned()));
        let token = mail_token(&ours, MailPurpose::VerifyEmail, user, &nonce);
        assert_eq!(user_of_mail_token(&token), Some(user));
        assert!(same(&token, &mail_token(&ours, MailPurpose::VerifyEmail, user, &nonce)));
        for other in [
            mail_token(&ours, MailPurpose::ResetPassword, user, &nonce),
            mail_token(&theirs, MailPurpose::VerifyEmail, user, &nonce),
            mail_token(&ours, MailPurpose::VerifyEmail, UserId::new(2, [1; 10]), &nonce),
            mail_token(&ours, MailPurpose::VerifyEmail, user, &Secret("other".to_owned())),
        ] {
            assert!(!same(&token, &other));
        }
        for text in ["", "x", &"é".repeat(40), &"x".repeat(69)] {
            assert_eq!(user_of_mail_token(&Secret(text.to_owned())), None, "{text}");
        }
    }
}
