//! What happens to mails that nobody takes at first, or at all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use waxwing_app::{
    commands::Registration,
    execute::Cause,
    mail::Mail,
    ports::{MailError, Mailer, PortError, Queue},
    sent_mail::SentOnce,
};
use waxwing_domain::Secret;

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

/// A mail server that refuses some addresses, is closed to others, and remembers what it was brought.
#[derive(Default)]
struct Server {
    refuses: &'static str,
    closed_to: Mutex<&'static str>,
    brought: Mutex<HashMap<String, u32>>,
}

#[async_trait]
impl Mailer for Server {
    async fn send(&self, _id: &str, mail: &Mail) -> Result<(), MailError> {
        *self.brought.lock().unwrap().entry(mail.to.clone()).or_default() += 1;
        match &*mail.to {
            to if to == self.refuses => Err(MailError::Refused("no such mailbox (550)".to_owned())),
            to if to == *self.closed_to.lock().unwrap() => {
                Err(PortError::Unavailable("the mail server".to_owned()).into())
            },
            _ => Ok(()),
        }
    }
}

impl Server {
    fn brought(&self, to: &str) -> u32 {
        self.brought.lock().unwrap().get(to).copied().unwrap_or_default()
    }
}

async fn register(world: &World, email: &str) {
    let (email, name) = (email.to_owned(), "Ada".to_owned());
    let registration = Registration { email, password: Secret("correct horse".to_owned()), name };
    world.commands.register(registration, &Cause::system()).await.unwrap();
}

#[tokio::test]
async fn a_mail_that_is_refused_is_a_dead_letter_and_one_that_waits_holds_up_none() {
    let world = World::new();
    let closed_to = Mutex::new("late@example.com");
    let server = Arc::new(Server { refuses: "nobody@example.com", closed_to, ..Server::default() });
    for email in ["nobody@example.com", "late@example.com", "ada@example.com"] {
        register(&world, email).await;
    }
    world.mail_by(server.clone()).await;
    let dead = world.engine.work().dead(Queue::MAILS, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].reason, "refused: no such mailbox (550)");
    assert!(!format!("{dead:?}").contains("example.com"), "no address waits in a queue");
    assert_eq!((server.brought("ada@example.com"), server.brought("late@example.com")), (1, 1));

    // It is brought again, and no other with it.
    world.clock.advance(HOUR);
    world.mail_by(server.clone()).await;
    *server.closed_to.lock().unwrap() = "";
    world.clock.advance(HOUR);
    world.mail_by(server.clone()).await;
    world.clock.advance(HOUR);
    world.mail_by(server.clone()).await;
    assert_eq!(server.brought("late@example.com"), 3);
    assert_eq!((server.brought("ada@example.com"), server.brought("nobody@example.com")), (1, 1));

    // The operator has it tried again once there is a mailbox.
    let open = Arc::new(Server::default());
    world.engine.work().redrive(Queue::MAILS, &dead[0].id).await.unwrap();
    world.mail_by(open.clone()).await;
    assert_eq!(open.brought("nobody@example.com"), 1);
}

#[tokio::test]
async fn a_mail_that_nobody_takes_is_tried_until_its_token_is_over() {
    let world = World::new();
    let server = Arc::new(Server { closed_to: Mutex::new("late@example.com"), ..Server::default() });
    register(&world, "late@example.com").await;
    for _ in 0..48 {
        world.mail_by(server.clone()).await;
        world.clock.advance(HOUR);
    }
    // Seven times within the first hours, then each hour, each second, each fourth; and not after the day.
    assert_eq!(server.brought("late@example.com"), 7 + 6 + 3 + 1);
    let dead = world.engine.work().dead(Queue::MAILS, 10).await.unwrap();
    assert_eq!((dead.len(), &*dead[0].reason), (1, "refused: its token was over before anybody took it"));
}

/// A mail server that takes its time.
#[derive(Default)]
struct Slow(Server);

#[async_trait]
impl Mailer for Slow {
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError> {
        self.0.send(id, mail).await?;
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[tokio::test]
async fn of_several_copies_of_a_job_one_sends_the_mail() {
    let world = World::new();
    register(&world, "ada@example.com").await;
    let server = Arc::new(Slow::default());
    let (records, clock) = (world.engine.records(), world.clock.clone());
    let once = SentOnce { mailer: server.clone(), records, clock };
    let body = Secret("x".to_owned());
    let to = "ada@example.com".to_owned();
    let mail = Mail { to, subject: "x".to_owned(), text: body.clone(), html: body, token: None };
    let sent = join_all((0..8).map(|_| once.send("1/x/1/0", &mail))).await;
    assert_eq!(server.0.brought("ada@example.com"), 1);
    // The others come again, and find that it was sent.
    assert!(sent.iter().any(Result::is_ok));
    once.send("1/x/1/0", &mail).await.unwrap();
    assert_eq!(server.0.brought("ada@example.com"), 1);

    // What nobody took is free for the next try at once; what a process ended in the middle of, after some minutes.
    *server.0.closed_to.lock().unwrap() = "ada@example.com";
    assert!(once.send("2/x/1/0", &mail).await.is_err());
    *server.0.closed_to.lock().unwrap() = "";
    once.send("2/x/1/0", &mail).await.unwrap();
    assert_eq!(server.0.brought("ada@example.com"), 3);
    tokio::select! {
        biased;
        _ = once.send("3/x/1/0", &mail) => panic!("it ends in the middle"),
        () = until_brought(&server.0, 4) => {},
    }
    assert!(once.send("3/x/1/0", &mail).await.is_err());
    world.clock.advance(HOUR);
    once.send("3/x/1/0", &mail).await.unwrap();
}

async fn until_brought(server: &Server, times: u32) {
    while server.brought("ada@example.com") < times {
        tokio::task::yield_now().await;
    }
}
