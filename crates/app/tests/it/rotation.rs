//! Other keys for what is stored: everything is readable and everybody gets in as before, and what comes is sealed anew.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use waxwing_app::{
    codec,
    commands::Registration,
    execute::Cause,
    feed::Consumer,
    kept_mail::KeptMail,
    ports::{FeedItem, KeyCustody, KeyOwners, PortError},
    processes::Erasing,
    rotation::{Rotated, Rotation},
};
use waxwing_domain::{AccountId, Secret, account::AccountEvent, user::UserEvent};

use crate::world::World;

fn registration(email: &str) -> Registration {
    let password = Secret("correct horse".to_owned());
    Registration { email: email.to_owned(), password, name: "Ada".to_owned() }
}

fn erasing(world: &World) -> Erasing {
    let (keys, erasure) = (world.engine.keys(), world.engine.erasure());
    Erasing { commands: world.commands.clone(), keys, erasure }
}

/// What the commits of users and accounts say; `None` where that was erased.
async fn read(world: &World, items: &[FeedItem]) -> Vec<Option<String>> {
    let mut all = Vec::new();
    for FeedItem { commit, .. } in items {
        let secrets = &*world.ports.secrets;
        let events = match commit.stream.kind() {
            "user" => codec::open::<UserEvent>(secrets, commit).await.map(|events| format!("{events:?}")),
            _ => codec::open::<AccountEvent>(secrets, commit).await.map(|events| format!("{events:?}")),
        };
        all.push(match events {
            Err(PortError::Erased(_)) => None,
            events => Some(events.unwrap()),
        });
    }
    all
}

#[tokio::test]
async fn after_both_rotations_all_is_as_before_and_what_comes_has_another_key() {
    let world = World::new();
    let ada = world.commands.register(registration("ada@example.com"), &Cause::system()).await.unwrap();
    let eve = world.commands.register(registration("eve@example.com"), &Cause::system()).await.unwrap();
    let key = world.commands.draw_api_key(world.commands.network);
    world.commands.create_first_key(ada.account, key.clone(), &Cause::system()).await.unwrap();
    let mail = Arc::new(KeptMail { ports: world.ports.clone(), records: world.engine.records() });
    world.mail_by(mail.clone()).await;
    let mails = mail.list().await.unwrap();
    let token = |to: &str| mails.iter().find(|mail| mail.to == to).unwrap().token.clone().unwrap();
    let (adas, eves) = (token("ada@example.com"), token("eve@example.com"));
    world.commands.verify_email(&adas, &Cause::system()).await.unwrap();
    world.commands.verify_email(&eves, &Cause::system()).await.unwrap();
    let password = Secret("correct horse".to_owned());
    let tokens =
        world.commands.sign_in("ada@example.com", &password, None, None, &Cause::system()).await.unwrap();
    world.commands.delete_user(eve.owner, (&password, None), &Cause::system()).await.unwrap();
    let consumer = erasing(&world);
    let items = world.items(&consumer).await;
    consumer.handle(&items).await.unwrap();
    let before = read(&world, &items).await;
    assert!(before.contains(&None) && before.iter().flatten().count() >= 4, "{before:?}");
    assert!(items.iter().all(|item| item.commit.key_id == "dk1"));

    let keys = world.engine.keys();
    let rotated = Rotation::default().run(&*keys).await.unwrap();
    // Ada, both accounts, and the system itself, which keeps mails. Eve is erased.
    assert_eq!(rotated, Rotated { keys: 4, next: None });
    let one = Rotation { owner: Some(eve.owner.key_owner()), after: None };
    assert!(matches!(one.run(&*keys).await, Err(PortError::Erased(_))), "an erased user gets no other key");

    let world = world.with_another_master_key().await;
    assert_eq!(read(&world, &items).await, before);
    world.commands.authenticate(&key.0.0).await.unwrap();
    world.commands.authenticate(&tokens.access_token.0).await.unwrap();
    let tokens = world.commands.refresh(&tokens.refresh_token).await.unwrap();
    world.commands.authenticate(&tokens.access_token.0).await.unwrap();
    let taken = world.commands.register(registration("ADA@example.com"), &Cause::system()).await;
    assert!(taken.is_err(), "the address is still hers");
    world.commands.register(registration("eve@example.com"), &Cause::system()).await.unwrap();

    world
        .commands
        .change_password(ada.owner, &Secret("staple battery".to_owned()), &Cause::system())
        .await
        .unwrap();
    let consumer = erasing(&world);
    let later = world.items(&consumer).await.split_off(items.len());
    let of_ada = |item: &&FeedItem| item.commit.stream.id() == ada.owner.to_string();
    let new: Vec<_> = later.iter().filter(of_ada).map(|item| item.commit.key_id.as_str()).collect();
    assert_eq!(new, ["dk2"], "what comes is sealed with another key");
    assert!(read(&world, &later).await.iter().all(Option::is_some));
}

/// Keys of an engine that has too much to do at the first try of each thing.
#[derive(Default)]
struct Throttled {
    tries: Mutex<BTreeMap<Option<AccountId>, u32>>,
    made: Mutex<BTreeMap<AccountId, u32>>,
}

impl Throttled {
    const OWNERS: u64 = 20;

    fn attempt(&self, of: Option<AccountId>) -> Result<(), PortError> {
        let mut tries = self.tries.lock().unwrap();
        let tries = tries.entry(of).or_default();
        *tries += 1;
        match *tries {
            1 => Err(PortError::Throttled("too much at once".to_owned())),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl KeyCustody for Throttled {
    async fn rotate(&self, account: AccountId) -> Result<(), PortError> {
        self.attempt(Some(account))?;
        *self.made.lock().unwrap().entry(account).or_default() += 1;
        Ok(())
    }

    async fn owners(&self, _after: Option<&str>) -> Result<KeyOwners, PortError> {
        self.attempt(None)?;
        Ok(KeyOwners { owners: (0..Self::OWNERS).map(|n| AccountId::new(n, [0; 10])).collect(), next: None })
    }

    async fn destroy(&self, _account: AccountId) -> Result<(), PortError> {
        unreachable!("a rotation destroys nothing")
    }
}

#[tokio::test]
async fn who_is_throttled_is_tried_again_and_nobody_else() {
    let keys = Throttled::default();
    let rotated = Rotation::default().run(&keys).await.unwrap();
    assert_eq!(rotated, Rotated { keys: Throttled::OWNERS, next: None });
    let made = keys.made.into_inner().unwrap();
    assert_eq!(made.len() as u64, Throttled::OWNERS);
    assert!(made.values().all(|count| *count == 1), "one key each: {made:?}");
}
