use waxwing_domain::{
    call::CallReceived,
    session::{ProxyUrl, SessionSettings, SessionStatus, SettingsChange},
};
use waxwing_host::HostSettings;
use waxwing_sandbox::{BehaviourChange, FaultRequest, NewGroup};

use crate::{
    proxies::{NAME, Proxy},
    world::World,
};

const OWNER: &str = "15550001111";
const FRIEND: &str = "15550002222";

fn url(scheme: &str, proxy: &Proxy, password: &str) -> ProxyUrl {
    ProxyUrl::parse(&format!("{scheme}://{NAME}:{password}@{}", proxy.address)).unwrap()
}

fn through(proxy: Option<ProxyUrl>) -> SettingsChange {
    SettingsChange { proxy: Some(proxy), ..SettingsChange::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_through_its_proxy_and_says_when_that_cannot_be_reached() {
    let world = World::with(HostSettings::default()).await;
    let (http, socks) = (Proxy::http().await, Proxy::socks().await);
    let settings =
        SessionSettings { proxy: Some(url("http", &http, "p%40ss%20word")), ..SessionSettings::default() };
    let session = world.linked_with(OWNER, settings).await;
    // Once for the link, once for the login.
    assert_eq!((http.tunnels(), socks.tunnels()), (2, 0));
    let (view, _) = world.until("the view", session, |_, _| true).await;
    let shown = format!("http://{NAME}:***@{}", http.address);
    assert_eq!(view.settings.proxy.map(|proxy| proxy.as_url()), Some(shown), "no row holds the password");

    world.change(session, through(Some(url("socks5", &socks, "p%40ss%20word")))).await;
    world.sees("the other proxy", async || socks.tunnels() == 1).await;
    world.until("the connection", session, |_, live| live.status == SessionStatus::Connected).await;
    assert_eq!(http.tunnels(), 2);

    for wrong in [
        url("socks5", &socks, "wrong"),
        url("http", &http, "wrong"),
        // Addresses that lead into the host's own network.
        ProxyUrl::parse("http://10.255.255.1:3128").unwrap(),
    ] {
        world.change(session, through(Some(wrong))).await;
        world
            .until("a proxy that cannot be used", session, |_, live| {
                live.status != SessionStatus::Connected && live.status != SessionStatus::Stopped
            })
            .await;
    }
    world.change(session, through(None)).await;
    world.until("the connection", session, |_, live| live.status == SessionStatus::Connected).await;
    assert_eq!((http.tunnels(), socks.tunnels()), (2, 1), "no wrong password opens a way");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_reach_its_network_says_so_and_goes_on_trying() {
    let world = World::with(HostSettings::default()).await;
    let settings = SessionSettings {
        proxy: Some(ProxyUrl::parse("socks5://127.0.0.1:1").unwrap()),
        ..SessionSettings::default()
    };
    world.network.create_phone(OWNER, None).await.unwrap();
    let session = world.session_with("shop", settings).await;
    let (view, live) =
        world.until("the reason", session, |_, live| live.status == SessionStatus::Reconnecting).await;
    assert_eq!(live.reason.as_deref(), Some("proxy_unreachable"));
    assert_eq!(view.status, SessionStatus::Connecting, "what was never connected has not dropped");
    world.change(session, through(None)).await;
    world.code(session, &[]).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_marked_as_read_calls_declined_and_groups_left_out_as_is_wished() {
    let world = World::with(HostSettings::default()).await;
    let session = world.linked(OWNER).await;
    world.network.create_phone(FRIEND, Some("Ada")).await.unwrap();
    let (owner, friend) = (world.network.phone(OWNER).unwrap(), world.network.phone(FRIEND).unwrap());
    let group =
        NewGroup { subject: "shop".to_owned(), participants: vec![OWNER.to_owned()], ..NewGroup::default() };
    let group = friend.create_group(group).await.unwrap();
    let is_read = async |id: &str| {
        let ledger = world.network.ledger().await.unwrap();
        ledger.iter().any(|entry| entry.whatsapp_id == id && entry.read > 0)
    };
    let texts = async || -> Vec<String> {
        let messages = world.messages(session).await;
        let mut texts: Vec<_> =
            messages.iter().map(|message| message.content.text().unwrap_or_default().to_owned()).collect();
        // Between two chats there is no order.
        texts.sort_unstable();
        texts
    };
    // The owner's own phone would read and answer by itself.
    let away = BehaviourChange { online: Some(false), ..BehaviourChange::default() };
    owner.change_behaviour(away).await.unwrap();

    assert!(!owner.is_online().await.unwrap(), "the owner's phone goes on ringing");
    friend.send_text(&group.jid, "to all").await.unwrap();
    let unread = friend.send_text(OWNER, "one").await.unwrap();
    world.sees("two messages", async || texts().await.len() == 2).await;
    let ringing = friend.call_to(OWNER, true).await.unwrap();
    let rang = async |count: usize| world.recorded_calls().await.len() == count;
    world.sees("a call", async || rang(1).await).await;
    assert_eq!(friend.call_state(&ringing.call_id).await.unwrap().state, "ringing");

    let change = SettingsChange {
        always_online: Some(true),
        auto_read: Some(true),
        reject_calls: Some(true),
        ignore_groups: Some(true),
        ..SettingsChange::default()
    };
    world.change(session, change).await;
    world.sees("the owner online", async || owner.is_online().await.unwrap()).await;
    friend.send_text(&group.jid, "nobody hears it").await.unwrap();
    let read = friend.send_text(OWNER, "two").await.unwrap();
    world.sees("a read mark", async || is_read(&read.whatsapp_id).await).await;
    assert_eq!(texts().await, ["one", "to all", "two"]);
    assert!(!is_read(&unread.whatsapp_id).await);

    let declined = friend.call_to(OWNER, false).await.unwrap();
    world
        .sees("the refusal", async || friend.call_state(&declined.call_id).await.unwrap().state == "rejected")
        .await;
    world.sees("the second call", async || rang(2).await).await;
    let mut calls = world.recorded_calls().await;
    calls.sort_by_key(|call| call.rejected);
    let of = |call: &CallReceived| (call.call_id.clone(), call.video, call.rejected);
    assert_eq!(of(&calls[0]), (ringing.call_id, true, false));
    assert_eq!(of(&calls[1]), (declined.call_id, false, true));
    assert!(calls.iter().all(|call| call.session_id == session && call.from.phone.is_some()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wished_for_while_a_session_is_away_counts_for_what_waits_for_it() {
    let world = World::with(HostSettings::default()).await;
    let settings = SessionSettings { ignore_groups: true, ..SessionSettings::default() };
    let session = world.linked_with(OWNER, settings).await;
    world.network.create_phone(FRIEND, None).await.unwrap();
    let friend = world.network.phone(FRIEND).unwrap();
    let group =
        NewGroup { subject: "shop".to_owned(), participants: vec![OWNER.to_owned()], ..NewGroup::default() };
    let group = friend.create_group(group).await.unwrap();
    for kind in ["refuse_connections", "drop_connections"] {
        let fault = FaultRequest { kind: kind.to_owned(), ..FaultRequest::default() };
        world.network.inject(fault).await.unwrap();
    }
    let connections = world.wire.connections();
    world.sees("a try to connect again", async || world.wire.connections() > connections).await;
    friend.send_text(&group.jid, "to all").await.unwrap();
    world.change(session, SettingsChange { ignore_groups: Some(false), ..SettingsChange::default() }).await;
    world.network.clear_faults().await.unwrap();
    world.sees("the message of the group", async || world.messages(session).await.len() == 1).await;
    world.end().await;
}
