use futures::future::try_join_all;
use waxwing_domain::{
    AccountId, Timestamp, UserId,
    account::{Account, Member},
    user::User,
};

use crate::{
    execute::CommandPorts,
    ports::PortError,
    views::{InvitationView, MemberView},
};

/// The account as it stands; it is small, so it is read from its stream.
pub async fn account(ports: &CommandPorts, account: AccountId) -> Result<Account, PortError> {
    Ok(ports.load::<Account>(account, &account.to_string()).await?.0)
}

/// Up to `limit` members behind `after`, sorted by id, and whether there are more.
pub async fn members(
    ports: &CommandPorts,
    id: AccountId,
    after: Option<UserId>,
    limit: usize,
) -> Result<(Vec<MemberView>, bool), PortError> {
    let account = account(ports, id).await?;
    let behind = || account.members().iter().filter(|(user, _)| after.is_none_or(|after| **user > after));
    let page = behind().take(limit).map(|(user, member)| viewed(ports, *user, *member));
    Ok((try_join_all(page).await?, behind().count() > limit))
}

/// One member; `None` for a user who is none.
pub async fn member(
    ports: &CommandPorts,
    id: AccountId,
    user: UserId,
) -> Result<Option<MemberView>, PortError> {
    match account(ports, id).await?.members().get(&user) {
        Some(member) => viewed(ports, user, *member).await.map(Some),
        None => Ok(None),
    }
}

async fn viewed(ports: &CommandPorts, id: UserId, member: Member) -> Result<MemberView, PortError> {
    let (user, _) = ports.load::<User>(AccountId::SYSTEM, &id.to_string()).await?;
    let (email, name) = user.registered().map(|user| (user.email.clone(), user.name.clone())).unzip();
    let Member { role, joined_at } = member;
    Ok(MemberView { id, email, name: name.flatten(), role, joined_at })
}

/// The invitations that can still be accepted, oldest first.
pub async fn invitations(
    ports: &CommandPorts,
    id: AccountId,
    now: Timestamp,
) -> Result<Vec<InvitationView>, PortError> {
    Ok(account(ports, id).await?.open_invitations(now).map(InvitationView::new).collect())
}
