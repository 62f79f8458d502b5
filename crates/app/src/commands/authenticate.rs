//! Find out who calls.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use waxwing_domain::{
    AccountId, ApiKeyId, Feature, SessionId, UserId,
    account::{Account, Role},
    api_key::{ApiKey, ApiKeyCreated, covers, may_touch},
};

use super::{
    Commands,
    create_api_key::{LOOKUP_LEN, prefix, secret_hash},
};
use crate::{keys, ports::PortError, tokens::read_access_token};

/// Longest credential that is looked at.
const CREDENTIAL_LEN_MAX: usize = 1_024;

/// Who calls, and what that caller may do.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant.
    pub account: AccountId,
    /// A program, or a person.
    pub principal: Principal,
    /// What the operator switched for the account, and whether it is on.
    pub features: BTreeMap<Feature, bool>,
}

/// A program, or a person.
#[derive(Debug, Clone)]
pub enum Principal {
    /// An API key.
    ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// What it is and may do.
        key: Box<ApiKeyCreated>,
    },
    /// A user who signed in, and is a member of the account.
    User {
        /// Who.
        id: UserId,
        /// The sign-in.
        sign_in: String,
        /// What the user is in the account right now.
        role: Role,
    },
}

/// From where, until when and how often a key may be used.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyBounds<'a> {
    /// From which addresses; any when absent.
    pub ip_allow_list: Option<&'a [String]>,
    /// Until when; for ever when absent.
    pub expires_at: Option<Timestamp>,
    /// How often in a minute; as often as the account when absent.
    pub rate_limit_per_min: Option<u32>,
}

impl Caller {
    fn key(&self) -> Option<&ApiKeyCreated> {
        match &self.principal {
            Principal::ApiKey { key, .. } => Some(key),
            Principal::User { .. } => None,
        }
    }

    /// The id of the key or of the user.
    pub fn id(&self) -> String {
        match &self.principal {
            Principal::ApiKey { id, .. } => id.to_string(),
            Principal::User { id, .. } => id.to_string(),
        }
    }

    /// True when the caller has the scope.
    pub fn may(&self, scope: &str) -> bool {
        match &self.principal {
            Principal::ApiKey { key, .. } => key.scopes.iter().any(|granted| covers(granted, scope)),
            Principal::User { role, .. } => role.may(scope),
        }
    }

    /// The highest role all of which the caller may do: about that one and those below it the caller may decide, where the
    /// caller may decide about members at all. Nobody makes another more than they are.
    pub fn authority(&self) -> Option<Role> {
        let has_all = |role: &Role| self.may_touch_all() && role.scopes().all(|scope| self.may(&scope));
        Role::ALL.into_iter().rev().find(has_all)
    }

    /// True when the caller may touch the session.
    pub fn may_touch(&self, session: SessionId) -> bool {
        self.key().is_none_or(|key| may_touch(key.session_ids.as_deref(), session))
    }

    /// True when the caller may touch all sessions.
    pub fn may_touch_all(&self) -> bool {
        self.key().is_none_or(|key| key.session_ids.is_none())
    }

    /// True when the credential may be used from this address; one with a list not from an unknown address.
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        let Some(ranges) = self.key().and_then(|key| key.ip_allow_list.as_ref()) else { return true };
        let address = address.map(|address| address.to_canonical());
        let holds = |range: &String| match (parse_ip_range(range), address) {
            (Some(range), Some(address)) => range.contains(&address),
            _ => false,
        };
        ranges.iter().any(holds)
    }

    /// True when the caller may make, or hold, a key with these bounds: of a key that is bound itself none is wider.
    pub fn may_hold(&self, bounds: &KeyBounds<'_>) -> bool {
        let Some(own) = self.key() else { return true };
        let range = |text: &String| parse_ip_range(text);
        let inside = |wanted: &String| {
            let own = own.ip_allow_list.iter().flatten().filter_map(range);
            range(wanted).is_some_and(|wanted| own.into_iter().any(|own| own.contains(&wanted)))
        };
        let addresses =
            own.ip_allow_list.is_none() || bounds.ip_allow_list.is_some_and(|list| list.iter().all(inside));
        let end = own.expires_at.is_none_or(|own| bounds.expires_at.is_some_and(|wanted| wanted <= own));
        let limit = own
            .rate_limit_per_min
            .is_none_or(|own| bounds.rate_limit_per_min.is_some_and(|wanted| wanted <= own));
        addresses && end && limit
    }

    /// How many requests the credential may make in a minute, where it has a limit of its own.
    pub fn rate_limit_per_min(&self) -> Option<u32> {
        self.key().and_then(|key| key.rate_limit_per_min)
    }
}

/// An address of IPv4 or IPv6, or a range of them in CIDR notation.
pub fn parse_ip_range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Why a credential is not accepted. All reasons look the same from outside.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Unknown, revoked, expired, of another mode, or not a credential at all.
    #[error("the credential is not valid")]
    Invalid,
    /// The operator lets nobody of the account in for now.
    #[error("the account is suspended; ask the operator")]
    Suspended,
    /// The engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Commands {
    /// Whose API key or access token it is.
    pub async fn authenticate(&self, credential: &str) -> Result<Caller, AuthenticateError> {
        if credential.len() > CREDENTIAL_LEN_MAX || !credential.is_ascii() {
            return Err(AuthenticateError::Invalid);
        }
        match credential.starts_with("wx_") {
            true => self.authenticate_key(credential).await,
            false => self.authenticate_user(credential).await,
        }
    }

    /// Finds the key by its lookup id and compares the hash of its secret in constant time.
    async fn authenticate_key(&self, credential: &str) -> Result<Caller, AuthenticateError> {
        let rest = credential.strip_prefix(&prefix(self.network)).ok_or(AuthenticateError::Invalid)?;
        let (lookup_id, secret) = rest.split_at_checked(LOOKUP_LEN).ok_or(AuthenticateError::Invalid)?;
        let (account, id) = self.owner_of(lookup_id).await?;
        let (key_id, account_id) = (id.to_string(), account.to_string());
        let (key, tenant) = tokio::try_join!(
            self.ports.load_current::<ApiKey>(account, &key_id),
            self.ports.load_current::<Account>(account, &account_id)
        )?;
        let now = self.ports.clock.now();
        let stored = key.secret_hash_at(lookup_id, now).ok_or(AuthenticateError::Invalid)?;
        let is_right = secret_hash(secret).0.0.as_bytes().ct_eq(stored.0.0.as_bytes());
        match key.valid_at(now).filter(|_| is_right.into()) {
            Some(_) if tenant.is_deleted() => Err(AuthenticateError::Invalid),
            Some(_) if tenant.is_suspended() => Err(AuthenticateError::Suspended),
            Some(key) => {
                let principal = Principal::ApiKey { id, key: Box::new(key.clone()) };
                Ok(Caller { account, principal, features: tenant.features().clone() })
            },
            None => Err(AuthenticateError::Invalid),
        }
    }

    /// Whose key this lookup id finds. A key that is deleted says so itself, so this may be old.
    async fn owner_of(&self, lookup_id: &str) -> Result<(AccountId, ApiKeyId), AuthenticateError> {
        let name = ("api_key_claim", AccountId::SYSTEM, lookup_id.to_owned());
        let claimed = self.ports.recent(name, async || {
            let claim = keys::api_key_claim(&*self.ports.secrets, lookup_id);
            let value = self.ports.journal.claim(&claim).await?;
            let value = value.ok_or_else(|| PortError::NotFound("an API key".to_owned()))?;
            owner(&value).ok_or_else(|| PortError::Corrupt("claim of an API key".to_owned()))
        });
        match claimed.await {
            Ok(owner) => Ok(*owner),
            Err(PortError::NotFound(_)) => Err(AuthenticateError::Invalid),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the access token, and looks whether its sign-in still lasts and what the user is by now.
    async fn authenticate_user(&self, token: &str) -> Result<Caller, AuthenticateError> {
        let claims = read_access_token(&*self.ports.secrets, token, self.ports.clock.now())
            .ok_or(AuthenticateError::Invalid)?;
        match self.signed_in_as(&claims.sid, (claims.sub, claims.acc)).await? {
            Some((_, account)) if account.is_suspended() => Err(AuthenticateError::Suspended),
            Some((role, account)) => {
                let principal = Principal::User { id: claims.sub, sign_in: claims.sid, role };
                Ok(Caller { account: claims.acc, principal, features: account.features().clone() })
            },
            None => Err(AuthenticateError::Invalid),
        }
    }
}

fn owner(value: &[u8]) -> Option<(AccountId, ApiKeyId)> {
    let (account, id) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((account.parse().ok()?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use waxwing_domain::{
        Network, Secret,
        api_key::{ApiKeyCreated, SecretHash},
    };

    use super::*;

    fn caller(ranges: Option<&[&str]>) -> Caller {
        let key = ApiKeyCreated {
            name: "server".to_owned(),
            network: Network::Sandbox,
            lookup_id: "abc".to_owned(),
            secret_hash: SecretHash(Secret("hash".to_owned())),
            scopes: vec!["messages:send".to_owned()],
            session_ids: None,
            ip_allow_list: ranges.map(|ranges| ranges.iter().map(|range| (*range).to_owned()).collect()),
            expires_at: None,
            rate_limit_per_min: None,
            at: Timestamp::UNIX_EPOCH,
        };
        let id = ApiKeyId::new(1, [0; 10]);
        let principal = Principal::ApiKey { id, key: Box::new(key) };
        Caller { account: AccountId::SYSTEM, principal, features: BTreeMap::new() }
    }

    #[test]
    fn a_caller_decides_about_roles_that_may_do_no_more_than_the_caller() {
        let with = |scopes: Vec<String>, sessions: Option<Vec<SessionId>>| {
            let mut caller = caller(None);
            if let Principal::ApiKey { key, .. } = &mut caller.principal {
                (key.scopes, key.session_ids) = (scopes, sessions);
            }
            caller.authority()
        };
        let all = vec!["*".to_owned()];
        assert_eq!(with(all.clone(), None), Some(Role::Owner));
        assert_eq!(with(all, Some(vec![SessionId::new(1, [0; 10])])), None, "members may touch all sessions");
        assert_eq!(with(vec!["members:write".to_owned()], None), None);
        for role in Role::ALL {
            assert_eq!(with(role.scopes().collect(), None), Some(role));
            let user = Principal::User { id: UserId::new(1, [0; 10]), sign_in: String::new(), role };
            let caller = Caller { principal: user, ..caller(None) };
            assert_eq!(caller.authority(), Some(role));
        }
    }

    #[test]
    fn a_bound_key_makes_no_key_with_wider_bounds() {
        let second = |second| Some(Timestamp::from_second(second).unwrap());
        let mut bound = caller(Some(&["203.0.113.0/24"]));
        if let Principal::ApiKey { key, .. } = &mut bound.principal {
            (key.expires_at, key.rate_limit_per_min) = (second(100), Some(60));
        }
        let list = |ranges: &[&str]| ranges.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>();
        let (inside, outside) =
            (list(&["203.0.113.7", "203.0.113.0/25"]), list(&["203.0.113.7", "10.0.0.1"]));
        let whole =
            KeyBounds { ip_allow_list: Some(&inside), expires_at: second(100), rate_limit_per_min: Some(60) };
        assert!(bound.may_hold(&whole));
        for wider in [
            KeyBounds { ip_allow_list: None, ..whole },
            KeyBounds { ip_allow_list: Some(&outside), ..whole },
            KeyBounds { expires_at: None, ..whole },
            KeyBounds { expires_at: second(101), ..whole },
            KeyBounds { rate_limit_per_min: None, ..whole },
            KeyBounds { rate_limit_per_min: Some(61), ..whole },
        ] {
            assert!(!bound.may_hold(&wider), "{wider:?}");
        }
        assert!(caller(None).may_hold(&KeyBounds::default()), "one without bounds makes any");
    }

    #[test]
    fn a_list_of_addresses_holds_for_both_families_and_for_neither_by_accident() {
        let listed = caller(Some(&["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"]));
        let may = |address: &str| listed.may_come_from(Some(address.parse().unwrap()));
        assert!(may("203.0.113.9") && may("2001:db8:1::1") && may("198.51.100.7"));
        assert!(may("::ffff:203.0.113.9"), "IPv4 inside IPv6 is IPv4");
        assert!(!may("203.0.114.1") && !may("2001:db9::1") && !may("198.51.100.8") && !may("127.0.0.1"));
        assert!(!listed.may_come_from(None), "an unknown address is on no list");
        assert!(caller(None).may_come_from(None));
        assert!(!caller(Some(&["nonsense"])).may_come_from(Some("203.0.113.9".parse().unwrap())));
    }
}
