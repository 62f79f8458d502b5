use futures::future::try_join_all;
use waxwing_domain::{
    AccountId, UserId,
    account::{AccountCreated, Role},
    user::{User, UserRegistered},
};

use crate::{
    commands::{Caller, Principal},
    execute::CommandPorts,
    ports::PortError,
    queries,
    views::ApiKeyView,
};

/// Who calls, as the caller is told.
#[derive(Debug, Clone)]
pub struct Me {
    /// The tenant.
    pub account_id: AccountId,
    /// What is known of it.
    pub account: Option<AccountCreated>,
    /// The person, where a person calls.
    pub user: Option<Person>,
    /// What the person is in the account.
    pub role: Option<Role>,
    /// All accounts to which the person belongs.
    pub accounts: Vec<Membership>,
    /// The key, where a program calls.
    pub api_key: Option<ApiKeyView>,
}

/// An account to which a person belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub account_id: AccountId,
    /// Its name.
    pub name: String,
    /// What the person is in it.
    pub role: Role,
}

/// A person, as that person is told.
#[derive(Debug, Clone)]
pub struct Person {
    /// The id.
    pub id: UserId,
    /// Address, name, when.
    pub registered: UserRegistered,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// Whether a second factor is needed.
    pub totp_enabled: bool,
}

/// The e-mail address of a user.
pub async fn user_email(ports: &CommandPorts, id: UserId) -> Result<Option<String>, PortError> {
    let (user, _) = ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
    Ok(user.registered().map(|registered| registered.email.clone()))
}

/// Who calls.
pub async fn me(ports: &CommandPorts, caller: &Caller) -> Result<Me, PortError> {
    let account_id = caller.account;
    let account = queries::account(ports, account_id).await?.created().cloned();
    let mut me = Me { account_id, account, user: None, role: None, accounts: Vec::new(), api_key: None };
    match &caller.principal {
        Principal::ApiKey { id, key } => me.api_key = Some(ApiKeyView::new(*id, key, None)),
        Principal::User { id, role, .. } => {
            let (user, _) = ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
            me.role = Some(*role);
            let joined = user.joined().iter().map(|joined| membership(ports, *id, joined.account));
            me.accounts = try_join_all(joined).await?.into_iter().flatten().collect();
            me.user = user.registered().map(|registered| Person {
                id: *id,
                registered: registered.clone(),
                email_verified: user.is_verified(),
                totp_enabled: user.totp_secret().is_some(),
            });
        },
    }
    Ok(me)
}

/// `None` where the user is a member no more.
async fn membership(
    ports: &CommandPorts,
    user: UserId,
    account_id: AccountId,
) -> Result<Option<Membership>, PortError> {
    let account = queries::account(ports, account_id).await?;
    let standing = account.created().zip(account.role_of(user));
    Ok(standing.map(|(created, role)| Membership { account_id, name: created.name.clone(), role }))
}
