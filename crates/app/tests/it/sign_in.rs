//! Users on the embedded engine: one walk through time, and tokens that two use at once.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use waxwing_app::{
    commands::{AuthenticateError, MailTokenError, Principal, Registration, SignInError, SignedIn},
    execute::Cause,
    kept_mail::{KeptMail, MAILS_MAX},
    mail::Mail,
    ports::Mailer,
    processes::Mailing,
};
use waxwing_domain::Secret;

use crate::world::World;

const EMAIL: &str = "ada@example.com";

fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

fn mail(world: &World) -> Arc<KeptMail> {
    Arc::new(KeptMail { ports: world.ports.clone(), records: world.engine.records() })
}

/// The token of the newest mail that follows from the feed.
async fn mailed_token(world: &World) -> Secret {
    let mail = mail(world);
    world.follow(&Mailing { ports: world.ports.clone(), mailer: mail.clone() }).await;
    mail.list().await.unwrap()[0].token.clone().unwrap()
}

async fn registered(world: &World) {
    let (email, name) = (EMAIL.to_owned(), "Ada".to_owned());
    let registration = Registration { email, password: secret("correct horse"), name };
    world.commands.register(registration, &Cause::system()).await.unwrap();
}

async fn verified(world: &World) {
    registered(world).await;
    let token = mailed_token(world).await;
    world.commands.verify_email(&token, &Cause::system()).await.unwrap();
}

async fn signed_in(world: &World) -> SignedIn {
    world.commands.sign_in(EMAIL, &secret("correct horse")).await.unwrap()
}

async fn is_alive(world: &World, tokens: &SignedIn) -> bool {
    world.commands.authenticate(&tokens.access_token.0).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refreshes_with_one_token_at_once_one_wins_and_the_sign_in_ends() {
    let world = World::new();
    verified(&world).await;
    for _ in 0..10 {
        let tokens = signed_in(&world).await;
        let tries = (0..8).map(|_| {
            let (commands, token) = (world.commands.clone(), tokens.refresh_token.clone());
            tokio::spawn(async move { commands.refresh(&token).await })
        });
        let all = join_all(tries).await.into_iter().map(Result::unwrap);
        let won: Vec<SignedIn> = all.filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1, "one wins");
        assert!(
            !is_alive(&world, &won[0]).await,
            "and its tokens are dead, since somebody else had the token"
        );
        assert!(world.commands.refresh(&won[0].refresh_token).await.is_err());
    }
}

#[tokio::test]
async fn a_used_refresh_token_ends_its_own_sign_in_only() {
    let world = World::new();
    verified(&world).await;
    let (first, other) = (signed_in(&world).await, signed_in(&world).await);
    let second = world.commands.refresh(&first.refresh_token).await.unwrap();
    assert!(is_alive(&world, &first).await && is_alive(&world, &second).await);
    let again = world.commands.refresh(&first.refresh_token).await;
    assert!(matches!(again, Err(AuthenticateError::Invalid)));
    assert!(!is_alive(&world, &second).await, "the access token, too");
    assert!(world.commands.refresh(&second.refresh_token).await.is_err());
    assert!(is_alive(&world, &other).await);
}

#[tokio::test]
async fn tokens_end_in_their_time() {
    let world = World::new();
    verified(&world).await;
    let tokens = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(15 * 60 - 1));
    let caller = world.commands.authenticate(&tokens.access_token.0).await.unwrap();
    assert!(matches!(caller.principal, Principal::User { .. }) && caller.may("anything:write"));
    world.clock.advance(Duration::from_secs(1));
    assert!(!is_alive(&world, &tokens).await, "an access token is good for 15 minutes");
    let tokens = world.commands.refresh(&tokens.refresh_token).await.unwrap();
    world.clock.advance(Duration::from_secs(30 * 24 * 3_600 + 1));
    assert!(world.commands.refresh(&tokens.refresh_token).await.is_err(), "a sign-in for 30 days");
}

#[tokio::test]
async fn an_address_is_confirmed_before_the_first_sign_in_and_in_a_day() {
    let world = World::new();
    registered(&world).await;
    let right = world.commands.sign_in(EMAIL, &secret("correct horse")).await;
    assert!(matches!(right, Err(SignInError::EmailNotVerified)));
    let wrong = world.commands.sign_in(EMAIL, &secret("battery staple")).await;
    assert!(matches!(wrong, Err(SignInError::InvalidCredentials)), "who does not know it learns nothing");
    let token = mailed_token(&world).await;
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let late = world.commands.verify_email(&token, &Cause::system()).await;
    assert!(matches!(late, Err(MailTokenError::InvalidToken)));
    // A forgotten password is another way to prove the address.
    world.commands.forgot_password(EMAIL, &Cause::system()).await.unwrap();
    let token = mailed_token(&world).await;
    world.commands.reset_password(&token, &secret("correct horse"), &Cause::system()).await.unwrap();
    signed_in(&world).await;
}

#[tokio::test]
async fn another_password_ends_all_sign_ins() {
    let world = World::new();
    verified(&world).await;
    let tokens = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(1));
    world.commands.forgot_password("ADA@example.com", &Cause::system()).await.unwrap();
    let token = mailed_token(&world).await;
    assert!(is_alive(&world, &tokens).await, "asking changes nothing");
    world.commands.reset_password(&token, &secret("battery staple"), &Cause::system()).await.unwrap();
    assert!(!is_alive(&world, &tokens).await);
    assert!(world.commands.refresh(&tokens.refresh_token).await.is_err());
    let old = world.commands.sign_in(EMAIL, &secret("correct horse")).await;
    assert!(matches!(old, Err(SignInError::InvalidCredentials)));
    world.commands.sign_in(EMAIL, &secret("battery staple")).await.unwrap();
    let again = world.commands.reset_password(&token, &secret("correct horse"), &Cause::system()).await;
    assert!(matches!(again, Err(MailTokenError::InvalidToken)), "good once");
}

#[tokio::test]
async fn a_mail_is_kept_once_and_no_token_stands_open_in_the_rows() {
    let world = World::new();
    registered(&world).await;
    let mailer = mail(&world);
    let mailing = Mailing { ports: world.ports.clone(), mailer: mailer.clone() };
    let items = world.items(&mailing).await;
    for _ in 0..2 {
        waxwing_app::feed::Consumer::handle(&mailing, &items).await.unwrap();
    }
    let kept = mailer.list().await.unwrap();
    assert_eq!((kept.len(), kept[0].to.as_str()), (1, EMAIL));
    let token = kept[0].token.clone().unwrap().0;
    let rows = world.rows(waxwing_app::keys::kept_mails()).await;
    let holds = |value: &[u8], text: &str| value.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(rows.iter().all(|row| !holds(&row.value, &token) && !holds(&row.value, EMAIL)));
    // A replay of what is long over writes to nobody.
    world.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    waxwing_app::feed::Consumer::handle(&mailing, &items).await.unwrap();
    assert!(mailer.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_newest_thousand_mails_are_kept() {
    let world = World::new();
    let mailer = mail(&world);
    let body = secret("x");
    for number in 0..MAILS_MAX + 2 {
        let to = format!("{number}@example.com");
        let mail = Mail { to, subject: "x".to_owned(), text: body.clone(), html: body.clone(), token: None };
        mailer.send(&format!("{number:015}"), &mail).await.unwrap();
    }
    let kept = mailer.list().await.unwrap();
    assert_eq!((kept.len(), kept[0].to.as_str()), (MAILS_MAX, "1001@example.com"));
    assert_eq!(world.rows(waxwing_app::keys::kept_mails()).await[0].key.sort, format!("{:015}", 2));
}
