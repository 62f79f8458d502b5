//! Users on the embedded engine: one walk through time, and tokens that two use at once.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use waxwing_app::{
    commands::{
        AuthenticateError, CreateAccountError, MailTokenError, Principal, ProfileError, Registration,
        SignInError, SignedIn,
    },
    execute::Cause,
    feed::Consumer as _,
    kept_mail::{KeptMail, MAILS_MAX},
    mail::Mail,
    ports::Mailer,
    processes::MailFanOut,
};
use waxwing_domain::Secret;

use crate::world::World;

const EMAIL: &str = "ada@example.com";

pub fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

pub fn mail(world: &World) -> Arc<KeptMail> {
    Arc::new(KeptMail { ports: world.ports.clone(), records: world.engine.records() })
}

/// The token of the newest mail that follows from the feed.
pub async fn mailed_token(world: &World) -> Secret {
    let mail = mail(world);
    world.mail_by(mail.clone()).await;
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

async fn sign_in(world: &World, password: &str, code: Option<&str>) -> Result<SignedIn, SignInError> {
    let code = code.map(secret);
    world.commands.sign_in(EMAIL, &secret(password), code.as_ref(), None, &Cause::system()).await
}

async fn signed_in(world: &World) -> SignedIn {
    sign_in(world, "correct horse", None).await.unwrap()
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
    assert!(matches!(caller.principal, Principal::User { .. }) && caller.may("*"));
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
    let right = sign_in(&world, "correct horse", None).await;
    assert!(matches!(right, Err(SignInError::EmailNotVerified)));
    let wrong = sign_in(&world, "battery staple", None).await;
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
    let old = sign_in(&world, "correct horse", None).await;
    assert!(matches!(old, Err(SignInError::InvalidCredentials)));
    sign_in(&world, "battery staple", None).await.unwrap();
    let again = world.commands.reset_password(&token, &secret("correct horse"), &Cause::system()).await;
    assert!(matches!(again, Err(MailTokenError::InvalidToken)), "good once");
}

#[tokio::test]
async fn a_mail_that_got_lost_is_sent_again() {
    let world = World::new();
    registered(&world).await;
    let first = mailed_token(&world).await;
    let ask = async || world.commands.resend_verification("ADA@example.com", &Cause::system()).await.unwrap();
    ask().await;
    world.commands.resend_verification("nobody@example.com", &Cause::system()).await.unwrap();
    mailed_token(&world).await;
    assert_eq!(mail(&world).list().await.unwrap().len(), 1, "not twice in a minute, and to nobody");
    world.clock.advance(Duration::from_secs(60));
    ask().await;
    assert_eq!(mailed_token(&world).await, first, "the one that got lost may come yet");
    assert_eq!(mail(&world).list().await.unwrap().len(), 2);
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let late = world.commands.verify_email(&first, &Cause::system()).await;
    assert!(matches!(late, Err(MailTokenError::InvalidToken)));
    ask().await;
    let other = mailed_token(&world).await;
    world.commands.verify_email(&other, &Cause::system()).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    ask().await;
    mailed_token(&world).await;
    assert_eq!(mail(&world).list().await.unwrap().len(), 3, "there is nothing to prove any more");
}

#[tokio::test]
async fn a_mail_is_kept_once_and_no_token_stands_open_in_the_rows() {
    let world = World::new();
    registered(&world).await;
    let mailer = mail(&world);
    let consumer = MailFanOut { work: world.engine.work() };
    let items = world.items(&consumer).await;
    for _ in 0..2 {
        consumer.handle(&items).await.unwrap();
        world.mail_by(mailer.clone()).await;
    }
    let kept = mailer.list().await.unwrap();
    assert_eq!((kept.len(), kept[0].to.as_str()), (1, EMAIL));
    let token = kept[0].token.clone().unwrap().0;
    let rows = world.rows(waxwing_app::keys::kept_mails()).await;
    let holds = |value: &[u8], text: &str| value.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(rows.iter().all(|row| !holds(&row.value, &token) && !holds(&row.value, EMAIL)));
    // A replay of what is long over writes to nobody.
    world.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    consumer.handle(&items).await.unwrap();
    world.mail_by(mailer.clone()).await;
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

/// What the app of this secret shows at the world's time.
fn code(world: &World, secret: &Secret) -> String {
    let secret = totp_rs::Secret::try_from_base32(&secret.0).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
    let now = world.ports.clock.now().as_second();
    totp.generate(u64::try_from(now).unwrap()).to_string()
}

async fn user_id(world: &World) -> waxwing_domain::UserId {
    let caller = world.commands.authenticate(&signed_in(world).await.access_token.0).await.unwrap();
    let Principal::User { id, .. } = caller.principal else { panic!("a user") };
    id
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let world = World::new();
    verified(&world).await;
    let (id, right, cause) = (user_id(&world).await, secret("correct horse"), Cause::system());
    let wrong = world.commands.offer_totp(id, &secret("battery staple"), &cause).await;
    assert!(matches!(wrong, Err(ProfileError::WrongPassword)));
    let offer = world.commands.offer_totp(id, &right, &cause).await.unwrap();
    assert!(offer.otpauth_url.0.contains(&offer.secret.0) && offer.otpauth_url.0.contains("Waxwing"));
    signed_in(&world).await;
    let no_code = world.commands.enable_totp(id, &secret("000000"), &cause).await;
    assert!(matches!(no_code, Err(ProfileError::WrongCode)));
    let first = code(&world, &offer.secret);
    let recovery = world.commands.enable_totp(id, &secret(&first), &cause).await.unwrap();
    assert_eq!(recovery.len(), 10);

    let missing = sign_in(&world, "correct horse", None).await;
    assert!(matches!(missing, Err(SignInError::TotpRequired)));
    let guessed = sign_in(&world, "battery staple", Some(&first)).await;
    assert!(matches!(guessed, Err(SignInError::InvalidCredentials)), "the password comes first");
    let again = sign_in(&world, "correct horse", Some(&first)).await;
    assert!(matches!(again, Err(SignInError::InvalidTotp)), "used when it was set up");
    world.clock.advance(Duration::from_secs(30));
    let second = code(&world, &offer.secret);
    sign_in(&world, "correct horse", Some(&second)).await.unwrap();
    let again = sign_in(&world, "correct horse", Some(&second)).await;
    assert!(matches!(again, Err(SignInError::InvalidTotp)));
    world.clock.advance(Duration::from_secs(60));
    let late = sign_in(&world, "correct horse", Some(&second)).await;
    assert!(matches!(late, Err(SignInError::InvalidTotp)));

    let typed = recovery[0].0.to_uppercase().replace('-', " ");
    sign_in(&world, "correct horse", Some(&typed)).await.unwrap();
    assert!(sign_in(&world, "correct horse", Some(&recovery[0].0)).await.is_err(), "good once");
    let rest = &recovery[1].0;
    world.commands.disable_totp(id, &right, &secret(rest), &cause).await.unwrap();
    signed_in(&world).await;
}

/// The tokens of the mails to the address of now and to the one to be.
async fn email_change_tokens(world: &World, to: &str) -> (Secret, Secret) {
    let (id, password) = (user_id(world).await, secret("correct horse"));
    world.commands.request_email_change(id, &password, to.to_owned(), &Cause::system()).await.unwrap();
    mailed_token(world).await;
    let mails = mail(world).list().await.unwrap();
    let token = |to: &str| {
        let mail = mails.iter().find(|mail| mail.to == to && mail.subject.contains("address"));
        mail.and_then(|mail| mail.token.clone()).unwrap()
    };
    (token(EMAIL), token(to))
}

#[tokio::test]
async fn an_address_changes_when_both_sides_agree_and_is_free_again() {
    let world = World::new();
    verified(&world).await;
    let (right, cause) = (secret("correct horse"), Cause::system());
    let to = "ada@example.org".to_owned();
    let (old, new) = email_change_tokens(&world, &to).await;
    assert!(!world.commands.confirm_email_change(&new, &cause).await.unwrap());
    assert!(!world.commands.confirm_email_change(&new, &cause).await.unwrap(), "one side twice is one side");
    signed_in(&world).await;
    assert!(world.commands.confirm_email_change(&old, &cause).await.unwrap());
    let gone = sign_in(&world, "correct horse", None).await;
    assert!(matches!(gone, Err(SignInError::InvalidCredentials)));
    world.commands.sign_in(&to, &right, None, None, &cause).await.unwrap();
    assert!(world.commands.confirm_email_change(&old, &cause).await.is_err());
    // The address of before is somebody else's to take, and the new one is not.
    registered(&world).await;
    let taken = Registration { email: to, password: right, name: "Eve".to_owned() };
    assert!(world.commands.register(taken, &cause).await.is_err());
}

#[tokio::test]
async fn an_address_that_somebody_took_meanwhile_is_not_taken_over() {
    let world = World::new();
    verified(&world).await;
    let (right, cause) = (secret("correct horse"), Cause::system());
    let to = "ada@example.org".to_owned();
    let (old, new) = email_change_tokens(&world, &to).await;
    let other = Registration { email: to, password: right, name: "Eve".to_owned() };
    world.commands.register(other, &cause).await.unwrap();
    assert!(!world.commands.confirm_email_change(&old, &cause).await.unwrap());
    let taken = world.commands.confirm_email_change(&new, &cause).await;
    assert!(matches!(taken, Err(MailTokenError::Account(CreateAccountError::EmailTaken))), "{taken:?}");
    signed_in(&world).await;
}

#[tokio::test]
async fn a_user_signs_out_everywhere_and_changes_the_password() {
    let world = World::new();
    verified(&world).await;
    let (id, cause) = (user_id(&world).await, Cause::system());
    let (one, other) = (signed_in(&world).await, signed_in(&world).await);
    world.clock.advance(Duration::from_secs(1));
    world.commands.sign_out_everywhere(id, &cause).await.unwrap();
    assert!(!is_alive(&world, &one).await && !is_alive(&world, &other).await);
    let tokens = signed_in(&world).await;
    let caller = world.commands.authenticate(&tokens.access_token.0).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let who = (id, caller.account);
    let change = |old: &'static str, new: &'static str| {
        let (commands, cause) = (world.commands.clone(), cause.clone());
        async move { commands.replace_password(who, (&secret(old), &secret(new)), &cause).await }
    };
    assert!(matches!(change("wrong", "battery staple").await, Err(ProfileError::WrongPassword)));
    let weak = change("correct horse", "password1").await;
    assert!(matches!(weak, Err(ProfileError::NewPassword(_))));
    let fresh = change("correct horse", "battery staple").await.unwrap();
    assert!(!is_alive(&world, &tokens).await && is_alive(&world, &fresh).await);
}

#[tokio::test]
async fn an_imported_hash_is_replaced_at_the_first_sign_in() {
    let world = World::new();
    verified(&world).await;
    let id = user_id(&world).await;
    let imported = Secret(bcrypt::hash_with_salt("battery staple", 4, [7; 16]).unwrap().to_string());
    world.commands.import_password(id, imported.clone(), &Cause::system()).await.unwrap();
    let stored = async || {
        let user: waxwing_domain::user::User =
            world.ports.load(waxwing_domain::AccountId::SYSTEM, &id.to_string()).await.unwrap().0;
        user.password_hash().cloned().unwrap()
    };
    assert_eq!(stored().await, imported);
    sign_in(&world, "battery staple", None).await.unwrap();
    assert!(stored().await.0.starts_with("$argon2id$"));
    sign_in(&world, "battery staple", None).await.unwrap();
    let plain = world.commands.import_password(id, secret("plain"), &Cause::system()).await;
    assert!(plain.is_err());
}
