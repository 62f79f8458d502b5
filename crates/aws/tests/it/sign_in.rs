//! Users through the use cases: what another engine could do differently.

use futures::future::join_all;
use waxwing_app::{
    commands::{CreateAccountError, Registration, SignedIn},
    execute::Cause,
    ports::StreamName,
};
use waxwing_domain::{AccountId, Secret};

use crate::{fixture::Fixture, on_both, world::World};

on_both!(a_user_registers_and_of_many_refreshes_with_one_token_one_wins);

async fn a_user_registers_and_of_many_refreshes_with_one_token_one_wins(fixture: Fixture) {
    let world = World::new(fixture).await;
    let password = Secret("correct horse".to_owned());
    let register = async || {
        let (email, name) = ("ada@example.com".to_owned(), "Ada".to_owned());
        let registration = Registration { email, password: password.clone(), name };
        world.commands.register(registration, &Cause::system()).await
    };
    // Of several at once one gets the address.
    let tries = join_all((0..4).map(|_| register())).await;
    let mut made = Vec::new();
    for tried in tries {
        match tried {
            Ok(ids) => made.push(ids),
            Err(error) => assert!(matches!(error, CreateAccountError::EmailTaken), "{error}"),
        }
    }
    assert_eq!(made.len(), 1);

    let stream = StreamName::new("user", made[0].owner);
    let items = world.fixture.engine.feed_of(AccountId::SYSTEM, &stream).await.unwrap();
    world.kept_mails(&items).await;
    let kept = world.kept_mails(&items).await;
    assert_eq!(kept.len(), 1, "a batch that comes again writes no second mail");
    let token = kept[0].token.clone().unwrap();
    world.commands.verify_email(&token, &Cause::system()).await.unwrap();

    let signed_in = world.commands.sign_in("ada@example.com", &password, None, None, &Cause::system()).await;
    let tokens = signed_in.unwrap();
    let caller = world.commands.authenticate(&tokens.access_token.0).await.unwrap();
    assert_eq!(caller.account, made[0].account);
    let tries = join_all((0..8).map(|_| world.commands.refresh(&tokens.refresh_token))).await;
    let won: Vec<SignedIn> = tries.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1);
    assert!(world.commands.refresh(&won[0].refresh_token).await.is_err());
    assert!(world.commands.authenticate(&won[0].access_token.0).await.is_err());
}
