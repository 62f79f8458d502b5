//! Members through the use cases: what another engine could do differently.

use futures::future::join_all;
use waxwing_app::{
    commands::{
        AccountCommandError, InvitationError, Joined, NewInvitation, Newcomer, Once, Principal, Registration,
    },
    execute::Cause,
    ports::StreamName,
    queries,
};
use waxwing_domain::{
    AccountId, Secret,
    account::{AccountError, Role},
};

use crate::{fixture::Fixture, on_both, world::World};

on_both!(somebody_is_invited_and_of_two_owners_who_leave_at_once_one_stays);

const EVE: &str = "eve@example.com";

fn password() -> Secret {
    Secret("correct horse".to_owned())
}

/// The token of the mail that follows from the account's stream.
async fn mailed_token(world: &World, account: AccountId) -> Secret {
    let items = world.fixture.engine.feed_of(account, &StreamName::new("account", account)).await.unwrap();
    world.kept_mails(&items).await;
    let kept = world.kept_mails(&items).await;
    assert_eq!((kept.len(), kept[0].to.as_str()), (1, EVE), "a batch that comes again writes no second mail");
    kept[0].token.clone().unwrap()
}

async fn accept(world: &World, token: &Secret) -> Result<Joined, InvitationError> {
    let newcomer = Newcomer { name: Some("Eve".to_owned()), password: Some(password()) };
    world.commands.accept_invitation(token, newcomer, &Cause::system()).await
}

async fn somebody_is_invited_and_of_two_owners_who_leave_at_once_one_stays(fixture: Fixture) {
    let (world, cause) = (World::new(fixture).await, Cause::system());
    let (email, name) = ("ada@example.com".to_owned(), "Ada".to_owned());
    let registration = Registration { email, password: password(), name };
    let made = world.commands.register(registration, &cause).await.unwrap();
    let account = made.account;
    // Of several invitations at once to one address one is made.
    let invite = async || {
        let new = NewInvitation { email: EVE.to_owned(), role: Role::Developer };
        world.commands.invite(account, new, Some(Role::Owner), None, &cause).await
    };
    let invited = join_all((0..3).map(|_| invite())).await;
    assert_eq!(invited.iter().filter(|one| matches!(one, Ok(Once::Done(_)))).count(), 1);

    let token = mailed_token(&world, account).await;
    let joined: Vec<Joined> =
        join_all((0..3).map(|_| accept(&world, &token))).await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(joined.len(), 1);
    assert!(matches!(accept(&world, &token).await, Err(InvitationError::InvalidToken)));
    let eve = joined[0].user;
    let tokens = world.commands.sign_in(EVE, &password(), None, Some(account), &cause).await.unwrap();
    let role = async || match world.commands.authenticate(&tokens.access_token.0).await.unwrap().principal {
        Principal::User { role, .. } => role,
        Principal::ApiKey { .. } => panic!("a user"),
    };
    assert_eq!(role().await, Role::Developer);
    let admin = Some(Role::Admin);
    let raised = world.commands.change_role(account, (eve, Role::Owner), admin, &cause).await;
    assert!(matches!(raised, Err(AccountCommandError::Account(AccountError::RoleTooHigh))));
    world.commands.change_role(account, (eve, Role::Owner), Some(Role::Owner), &cause).await.unwrap();
    assert_eq!(role().await, Role::Owner);

    let both = [made.owner, eve].map(|user| world.commands.leave_account(account, user, &cause));
    let left = join_all(both).await;
    assert_eq!(left.iter().filter(|one| one.is_ok()).count(), 1, "{left:?}");
    let refused = left.into_iter().find_map(Result::err);
    assert!(matches!(refused, Some(AccountCommandError::Account(AccountError::LastOwner))));
    let stays = queries::account(&world.ports, account).await.unwrap();
    assert_eq!(stays.members().values().map(|member| member.role).collect::<Vec<_>>(), [Role::Owner]);
    let is_in = stays.role_of(eve).is_some();
    assert_eq!(world.commands.authenticate(&tokens.access_token.0).await.is_ok(), is_in);
    assert_eq!(world.commands.refresh(&tokens.refresh_token).await.is_ok(), is_in);
}
