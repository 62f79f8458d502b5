use waxwing_domain::{
    AccountId, UserId,
    account::{Account, AccountCreated},
    user::{User, UserRegistered},
};

use crate::{
    commands::{Caller, Principal},
    execute::CommandPorts,
    ports::PortError,
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
    pub role: Option<&'static str>,
    /// The key, where a program calls.
    pub api_key: Option<ApiKeyView>,
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
    let (account, _) = ports.load::<Account>(account_id, &account_id.to_string()).await?;
    let mut me =
        Me { account_id, account: account.created().cloned(), user: None, role: None, api_key: None };
    match &caller.principal {
        Principal::ApiKey { id, key } => me.api_key = Some(ApiKeyView::new(*id, key, None)),
        Principal::User { id, .. } => {
            let (user, _) = ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
            me.role = user.joined().map(|(_, role)| role.as_str());
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
