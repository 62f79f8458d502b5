//! Tokens that follow from the installation's key: access tokens (JWT), and those that mails carry.
//!
//! The key of both is derived from the root of keyed hashes: the master key of a data folder, the secret of a deployment.

mod hs256;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use waxwing_domain::{AccountId, Secret, UserId};

use crate::ports::{KeyedHash, PortError, SecretBox};

/// How long an access token is good.
pub const ACCESS_TOKEN_TTL: SignedDuration = SignedDuration::from_mins(15);
const ISSUER: &str = "waxwing";
const DAY_S: i64 = 86_400;

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

/// An access token of a sign-in: a JWT (RFC 7519) signed with HMAC-SHA256.
pub(crate) fn access_token(
    secrets: &dyn SecretBox,
    (sub, acc, sid): (UserId, AccountId, &str),
    now: Timestamp,
) -> Result<Secret, PortError> {
    hs256::install();
    let (iat, exp) = (now.as_second(), now.as_second() + ACCESS_TOKEN_TTL.as_secs());
    let claims = Claims { iss: ISSUER.to_owned(), sub, acc, sid: sid.to_owned(), iat, exp };
    let day = iat.div_euclid(DAY_S);
    let header = Header { kid: Some(day.to_string()), ..Header::new(Algorithm::HS256) };
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&day_key(secrets, day)));
    token.map(Secret).map_err(|error| PortError::Corrupt(error.to_string()))
}

/// What the token says, if it is one of ours and its time is not over.
pub(crate) fn read_access_token(secrets: &dyn SecretBox, token: &str, now: Timestamp) -> Option<Claims> {
    hs256::install();
    let day: i64 = jsonwebtoken::decode_header(token).ok()?.kid?.parse().ok()?;
    let today = now.as_second().div_euclid(DAY_S);
    if !(today - 1..=today).contains(&day) {
        return None;
    }
    // The token names its key by the day, and nothing else: the algorithm is ours to choose.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss"]);
    // By our clock, below.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(&day_key(secrets, day));
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    let Claims { iat, exp, .. } = claims;
    let is_of_the_day = iat.div_euclid(DAY_S) == day && exp - iat == ACCESS_TOKEN_TTL.as_secs();
    (is_of_the_day && now.as_second() < exp).then_some(claims)
}

/// The key of one day: whoever learns it can use it until a quarter of an hour after midnight.
fn day_key(secrets: &dyn SecretBox, day: i64) -> KeyedHash {
    secrets.keyed_hash("access_token_key", day.to_string().as_bytes())
}

/// What a mail's token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailPurpose {
    VerifyEmail,
    ResetPassword,
    ChangeEmail,
    Invitation,
}

impl MailPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email_token",
            Self::ResetPassword => "reset_password_token",
            Self::ChangeEmail => "change_email_token",
            Self::Invitation => "invitation_token",
        }
    }
}

/// The token that proves the nonce: whose it is, a user or an account, and a keyed hash. Neither the journal nor a backup of it contains it.
pub(crate) fn mail_token(
    secrets: &dyn SecretBox,
    purpose: MailPurpose,
    holder: impl fmt::Display,
    nonce: &Secret,
) -> Secret {
    let id = holder.to_string();
    let hash = secrets.keyed_hash(purpose.as_str(), format!("{id}\u{1f}{}", nonce.0).as_bytes());
    let bare = id.split_once('_').map_or("", |(_, bare)| bare);
    Secret(format!("{bare}{}", URL_SAFE_NO_PAD.encode(hash)))
}

/// Whose token it says it is.
pub(crate) fn user_of_mail_token(token: &Secret) -> Option<UserId> {
    UserId::parse(&format!("{}_{}", UserId::PREFIX, holder(token)?)).ok()
}

/// To which account the token says that it invites.
pub(crate) fn account_of_mail_token(token: &Secret) -> Option<AccountId> {
    AccountId::parse(&format!("{}_{}", AccountId::PREFIX, holder(token)?)).ok()
}

/// 26 characters of the id, 43 of the hash.
fn holder(token: &Secret) -> Option<&str> {
    token.0.get(..26).filter(|_| token.0.len() == 69)
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

    /// A token with whatever header and claims, signed with the key of the first day of `hashes`.
    fn forged(hashes: &Hashes, header: &serde_json::Value, claims: &serde_json::Value) -> String {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        hs256::install();
        let key = EncodingKey::from_secret(&day_key(hashes, 0));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
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
    fn each_day_has_its_own_key_and_midnight_ends_no_token() {
        let ours = Hashes::new(1);
        let late = access_token(&ours, subject(), at(DAY_S - 60)).unwrap();
        assert!(read_access_token(&ours, &late.0, at(DAY_S + 60)).is_some());
        let next = access_token(&ours, subject(), at(DAY_S + 60)).unwrap();
        let kid = |token: &Secret| jsonwebtoken::decode_header(&token.0).unwrap().kid;
        assert_eq!((kid(&late).as_deref(), kid(&next).as_deref()), (Some("0"), Some("1")));
        assert_ne!(day_key(&ours, 0), day_key(&ours, 1));
        // A leaked key of yesterday signs nothing that is good past midnight.
        let (sub, acc, sid) = subject();
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": "0" });
        let reads = |iat: i64, exp: i64, now: i64| {
            let claims =
                json!({ "iss": "waxwing", "sub": sub, "acc": acc, "sid": sid, "iat": iat, "exp": exp });
            read_access_token(&ours, &forged(&ours, &header, &claims), at(now)).is_some()
        };
        assert!(reads(DAY_S - 1, DAY_S + 899, DAY_S + 898));
        assert!(!reads(DAY_S - 1, DAY_S + 899, DAY_S + 899));
        assert!(!reads(DAY_S, DAY_S + 900, DAY_S + 1));
        assert!(!reads(DAY_S - 1, DAY_S * 2, DAY_S + 1));
    }

    #[test]
    fn algorithm_key_and_issuer_are_ours_to_choose() {
        let ours = Hashes::new(1);
        let (sub, acc, sid) = subject();
        let claims =
            json!({ "iss": "waxwing", "sub": sub, "acc": acc, "sid": sid, "iat": 200, "exp": 1_100 });
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": "0" });
        let reads = |header: &serde_json::Value, claims: &serde_json::Value| {
            read_access_token(&ours, &forged(&ours, header, claims), at(1_000)).is_some()
        };
        let with = |value: &serde_json::Value, name: &str, other: serde_json::Value| {
            let mut changed = value.clone();
            changed[name] = other;
            changed
        };
        let without = |value: &serde_json::Value, name: &str| {
            let mut changed = value.clone();
            changed.as_object_mut().unwrap().remove(name);
            changed
        };
        assert!(reads(&header, &claims), "or the refusals below would prove nothing");
        for algorithm in ["none", "None", "HS512", "HS384", "RS256", "EdDSA"] {
            assert!(!reads(&with(&header, "alg", json!(algorithm)), &claims), "{algorithm}");
        }
        for key in ["1", "-1", "2", "", "99999999999999999999", "../0"] {
            assert!(!reads(&with(&header, "kid", json!(key)), &claims), "{key}");
        }
        assert!(!reads(&without(&header, "kid"), &claims));
        assert!(!reads(&header, &with(&claims, "iss", json!("somebody"))));
        assert!(!reads(&header, &without(&claims, "iss")));
        assert!(!reads(&header, &without(&claims, "exp")));
        let unsigned = forged(&ours, &with(&header, "alg", json!("none")), &claims);
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
        let account = AccountId::new(1, [1; 10]);
        let invitation = mail_token(&ours, MailPurpose::Invitation, account, &nonce);
        assert_eq!(account_of_mail_token(&invitation), Some(account));
        for other in [
            invitation,
            mail_token(&ours, MailPurpose::Invitation, user, &nonce),
            mail_token(&ours, MailPurpose::ResetPassword, user, &nonce),
            mail_token(&theirs, MailPurpose::VerifyEmail, user, &nonce),
            mail_token(&ours, MailPurpose::VerifyEmail, UserId::new(2, [1; 10]), &nonce),
            mail_token(&ours, MailPurpose::VerifyEmail, user, &Secret("other".to_owned())),
        ] {
            assert!(!same(&token, &other));
        }
        for text in ["", "x", &"é".repeat(40), &"x".repeat(69)] {
            assert_eq!(user_of_mail_token(&Secret(text.to_owned())), None, "{text}");
            assert_eq!(account_of_mail_token(&Secret(text.to_owned())), None, "{text}");
        }
    }
}
