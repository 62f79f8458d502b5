//! Members and invitations on the embedded engine: their time, what two do at once, and what a user only believes.

use std::time::Duration;

use futures::future::join_all;
use waxwing_app::{
    commands::{
        AccountCommandError, CreatedAccount, InvitationError, Joined, NewInvitation, Newcomer, Once,
        Principal, Registration, SignInError,
    },
    execute::{Cause, Execution},
    feed::Consumer as _,
    processes::MailFanOut,
    queries,
};
use waxwing_domain::{
    AccountId, Secret, UserId,
    account::{AccountError, Role},
    user::{User, UserCommand},
};

use crate::{
    sign_in::{mail, mailed_token, secret},
    world::World,
};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
const PASSWORD: &str = "correct horse";

async fn owner(world: &World, email: &str) -> CreatedAccount {
    world.clock.advance(Duration::from_millis(1));
    let registration =
        Registration { email: email.to_owned(), password: secret(PASSWORD), name: "Ada".to_owned() };
    let made = world.commands.register(registration, &Cause::system()).await.unwrap();
    let token = mailed_token(world).await;
    world.commands.verify_email(&token, &Cause::system()).await.unwrap();
    made
}

/// The token of an invitation.
async fn invite(world: &World, account: AccountId, email: &str, role: Role) -> Secret {
    // Mails are sorted by time.
    world.clock.advance(Duration::from_millis(1));
    let new = NewInvitation { email: email.to_owned(), role };
    let invited =
        world.commands.invite(account, new, Some(Role::Owner), None, &Cause::system()).await.unwrap();
    assert!(matches!(invited, Once::Done(_)));
    mailed_token(world).await
}

async fn accept(world: &World, token: &Secret) -> Result<Joined, InvitationError> {
    let newcomer = Newcomer { name: Some("Eve".to_owned()), password: Some(secret(PASSWORD)) };
    world.commands.accept_invitation(token, newcomer, &Cause::system()).await
}

async fn sign_in(world: &World, email: &str, account: Option<AccountId>) -> Result<Secret, SignInError> {
    let signed_in = world.commands.sign_in(email, &secret(PASSWORD), None, account, &Cause::system()).await;
    signed_in.map(|signed_in| signed_in.access_token)
}

async fn role(world: &World, token: &Secret) -> Option<Role> {
    match world.commands.authenticate(&token.0).await.ok()?.principal {
        Principal::User { role, .. } => Some(role),
        Principal::ApiKey { .. } => None,
    }
}

#[tokio::test]
async fn an_invitation_is_good_for_a_week() {
    let world = World::new();
    let CreatedAccount { account, .. } = owner(&world, "ada@example.com").await;
    let late = invite(&world, account, "late@example.com", Role::Viewer).await;
    let early = invite(&world, account, "early@example.com", Role::Viewer).await;
    world.clock.advance(WEEK - Duration::from_secs(1));
    accept(&world, &early).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert!(matches!(accept(&world, &late).await, Err(InvitationError::InvalidToken)));
    let now = world.ports.clock.now();
    assert!(queries::invitations(&world.ports, account, now).await.unwrap().is_empty());
    // The address can be invited again; and a replay of what is long over writes to nobody.
    invite(&world, account, "late@example.com", Role::Viewer).await;
    let sent = mail(&world).list().await.unwrap().len();
    world.clock.advance(WEEK * 2);
    let everything = world.engine.feed().next("anew", &["user", "account"], 1_000).await.unwrap();
    MailFanOut { work: world.engine.work() }.handle(&everything).await.unwrap();
    world.mail_by(mail(&world)).await;
    assert!(mail(&world).list().await.unwrap().len() <= sent);
}

#[tokio::test]
async fn what_a_member_is_counts_at_once_and_a_removed_one_is_out() {
    let (world, cause) = (World::new(), Cause::system());
    let CreatedAccount { account, owner } = owner(&world, "ada@example.com").await;
    let token = invite(&world, account, "eve@example.com", Role::Developer).await;
    let eve = accept(&world, &token).await.unwrap().user;
    let token = sign_in(&world, "eve@example.com", None).await.unwrap();
    assert_eq!(role(&world, &token).await, Some(Role::Developer));
    let change = |user, role| world.commands.change_role(account, (user, role), Some(Role::Owner), &cause);
    for changed in Role::ALL {
        change(eve, changed).await.unwrap();
        assert_eq!(role(&world, &token).await, Some(changed));
    }
    // Two owners: one may go, and not both.
    world.commands.leave_account(account, owner, &cause).await.unwrap();
    let last = world.commands.leave_account(account, eve, &cause).await;
    assert!(matches!(last, Err(AccountCommandError::Account(AccountError::LastOwner))));
    let gone = sign_in(&world, "ada@example.com", None).await;
    assert!(matches!(gone, Err(SignInError::NotAMember)));
    assert_eq!(role(&world, &token).await, Some(Role::Owner));
    let back = invite(&world, account, "ada@example.com", Role::Owner).await;
    accept(&world, &back).await.unwrap();
    world.commands.remove_member(account, eve, Some(Role::Owner), &cause).await.unwrap();
    assert_eq!(role(&world, &token).await, None);
    let again = invite(&world, account, "eve@example.com", Role::Viewer).await;
    accept(&world, &again).await.unwrap();
    assert_eq!(role(&world, &token).await, None, "who comes back signs in anew");
    let token = sign_in(&world, "eve@example.com", None).await.unwrap();
    assert_eq!(role(&world, &token).await, Some(Role::Viewer));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_accept_one_invitation_at_once_one_joins() {
    let world = World::new();
    let CreatedAccount { account, .. } = owner(&world, "ada@example.com").await;
    let token = invite(&world, account, "eve@example.com", Role::Viewer).await;
    let all = join_all((0..6).map(|_| accept(&world, &token))).await;
    let joined: Vec<UserId> = all.into_iter().filter_map(|one| one.ok().map(|joined| joined.user)).collect();
    assert_eq!(joined.len(), 1);
    let members = queries::account(&world.ports, account).await.unwrap();
    assert_eq!((members.members().len(), members.role_of(joined[0])), (2, Some(Role::Viewer)));
    sign_in(&world, "eve@example.com", Some(account)).await.unwrap();
}

#[tokio::test]
async fn what_a_user_believes_opens_no_account() {
    let (world, cause) = (World::new(), Cause::system());
    let ada = owner(&world, "ada@example.com").await;
    let eve = owner(&world, "eve@example.com").await;
    // As after a crash between the two commits of an invitation that was accepted.
    let command =
        UserCommand::JoinAccount { account: ada.account, role: Role::Owner, at: world.ports.clock.now() };
    let id = eve.owner.to_string();
    let (account, claims) = (AccountId::SYSTEM, Vec::new());
    let hint = Execution::<User> { account, id: &id, command, fresh: false, claims, cause: &cause };
    world.ports.execute(hint).await.unwrap();
    let foreign = sign_in(&world, "eve@example.com", Some(ada.account)).await;
    assert!(matches!(foreign, Err(SignInError::NotAMember)));
    let token = sign_in(&world, "eve@example.com", None).await.unwrap();
    let caller = world.commands.authenticate(&token.0).await.unwrap();
    assert_eq!(caller.account, eve.account);
    let me = queries::me(&world.ports, &caller).await.unwrap();
    assert_eq!(me.accounts.iter().map(|one| one.account_id).collect::<Vec<_>>(), [eve.account]);
    // And accepting once more leads to the end.
    let token = invite(&world, ada.account, "eve@example.com", Role::Viewer).await;
    accept(&world, &token).await.unwrap();
    sign_in(&world, "eve@example.com", Some(ada.account)).await.unwrap();
}
