//! A served sandbox, and the real client with its events in a channel.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use waxwing_sandbox::{ManualClock, Network, Options, PhoneHandle, Sandbox};
use waxwing_signed_http::{SigningKey, Verifier};
use whatsapp_rust::bot::{Bot, BotHandle, EventDelivery};
use whatsapp_rust::send::SendOptions;
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid, TokioRuntime};

/// Nothing in these tests may take longer.
const DEADLINE: Duration = Duration::from_secs(30);
pub const ACCOUNT: &str = "acc_test";
pub const START_MS: i64 = 1_790_000_000_000;
pub const KEY: [u8; 32] = [9; 32];

/// One sandbox behind one port.
pub struct Served {
    pub sandbox: Sandbox,
    pub clock: ManualClock,
    pub base_url: String,
    server: JoinHandle<()>,
}

pub fn seeded_options(clock: &ManualClock) -> Options {
    let drawn = AtomicU8::new(0);
    Options::new(clock.clock(), Arc::new(move || [drawn.fetch_add(1, Ordering::Relaxed); 32]))
}

impl Served {
    pub async fn in_memory() -> Result<Self> {
        let clock = ManualClock::at(START_MS);
        Self::serve(Sandbox::in_memory(seeded_options(&clock))?, clock).await
    }

    pub async fn in_folder(folder: &Path) -> Result<Self> {
        let clock = ManualClock::at(START_MS);
        Self::serve(Sandbox::open(folder, seeded_options(&clock))?, clock).await
    }

    pub async fn serve(sandbox: Sandbox, clock: ManualClock) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let verifier = Verifier::new(SigningKey::from_bytes(&KEY)?, Arc::new(|| START_MS / 1_000));
        let router = sandbox.router(verifier);
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listener serves until it is dropped")
        });
        Ok(Self { sandbox, clock, base_url, server })
    }

    pub fn network(&self) -> Network {
        self.sandbox.network(ACCOUNT)
    }

    pub async fn phone(&self, number: &str) -> Result<PhoneHandle> {
        self.network().create_phone(number, None).await?;
        Ok(self.network().phone(number)?)
    }

    pub async fn ws_url(&self) -> Result<String> {
        let info = self.network().info().await?;
        Ok(format!("{}{}", self.base_url.replace("http", "ws"), info.ws_path))
    }

    /// Lets time pass, for the sandbox only.
    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        self.sandbox.wake();
    }

    /// The sandbox goes as a killed process does.
    pub fn kill(self) {
        self.sandbox.abort();
        self.server.abort();
    }

    /// A new client, linked to the phone and connected.
    pub async fn paired(&self, phone: &PhoneHandle) -> Result<TestClient> {
        let backend = Arc::new(InMemoryBackend::new());
        let mut client = TestClient::start(&self.ws_url().await?, backend).await?;
        client.pair(phone).await?;
        // The last thing that the phone tells a new device.
        client
            .expect("own name", |event| matches!(event, Event::SelfPushNameUpdated(_)).then_some(()))
            .await?;
        Ok(client)
    }
}

/// For what is not the client's.
pub fn plain_http() -> Result<reqwest::Client> {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().timeout(DEADLINE).build()?)
}

/// The real client.
pub struct TestClient {
    pub handle: BotHandle,
    pub backend: Arc<InMemoryBackend>,
    events: UnboundedReceiver<Arc<Event>>,
    /// Events that were passed over while waiting for another one.
    passed: Vec<Arc<Event>>,
}

/// HTTP to the sandbox: the client knows `https` only, and the sandbox has no certificate.
struct PlainHttp(reqwest::Client);

#[async_trait]
impl whatsapp_rust::http::HttpClient for PlainHttp {
    async fn execute(
        &self,
        request: whatsapp_rust::http::HttpRequest,
    ) -> Result<whatsapp_rust::http::HttpResponse> {
        let url = request.url.replacen("https://", "http://", 1);
        let mut builder = self.0.request(request.method.parse()?, url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await?;
        let status_code = response.status().as_u16();
        Ok(whatsapp_rust::http::HttpResponse { status_code, body: response.bytes().await?.to_vec() })
    }
}

impl TestClient {
    pub async fn start(url: &str, backend: Arc<InMemoryBackend>) -> Result<Self> {
        let (send, events) = unbounded_channel();
        let bot = Bot::builder()
            .with_backend_arc(Arc::clone(&backend) as _)
            .with_transport_factory(TokioWebSocketTransportFactory::new().with_url(url))
            .with_http_client(PlainHttp(plain_http()?))
            .with_runtime(TokioRuntime)
            .with_version((2, 3000, 1_035_194_821))
            .with_wanted_pre_key_count(30)
            .with_event_delivery(EventDelivery::Ordered { capacity: 4096 })
            .on_event(move |event, _| {
                let _ = send.send(event);
                async {}
            })
            .build()
            .await?;
        Ok(Self { handle: bot.spawn(), backend, events, passed: Vec::new() })
    }

    pub fn client(&self) -> Arc<Client> {
        self.handle.client()
    }

    /// Waits for the first event, seen before or not, from which `pick` takes something.
    pub async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> Result<T> {
        if let Some((index, found)) =
            self.passed.iter().enumerate().find_map(|(index, event)| Some((index, pick(event)?)))
        {
            self.passed.remove(index);
            return Ok(found);
        }
        let wait = async {
            loop {
                let event = self.events.recv().await.context("the client has stopped")?;
                if let Some(found) = pick(&event) {
                    return Ok(found);
                }
                self.passed.push(event);
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(found) => found,
            Err(_) => anyhow::bail!(
                "no {what}; seen: {:?}",
                self.passed.iter().map(|event| event.kind()).collect::<Vec<_>>()
            ),
        }
    }

    pub async fn pair(&mut self, phone: &PhoneHandle) -> Result<()> {
        let code = self
            .expect("code", |event| {
                if let Event::PairingQrCode(code) = event { Some(code.code.clone()) } else { None }
            })
            .await?;
        phone.scan(&code).await?;
        self.connected().await
    }

    pub async fn connected(&mut self) -> Result<()> {
        self.expect("connection", |event| matches!(event, Event::Connected(_)).then_some(())).await
    }

    /// The texts of the next `count` messages, in their order.
    pub async fn texts(&mut self, count: usize) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let more = self
                .expect("message", |event| {
                    let texts: Vec<String> =
                        event.messages().filter_map(|inbound| text(&inbound.message)).collect();
                    (!texts.is_empty()).then_some(texts)
                })
                .await?;
            texts.extend(more);
        }
        Ok(texts)
    }

    pub async fn send(&self, to: &str, text: &str) -> Result<String> {
        let jid = Jid::pn(to.trim_start_matches('+'));
        Ok(self.client().send_text(jid, text).await?.message_id)
    }

    pub async fn send_with_id(&self, to: &str, text: &str, id: &str) -> Result<()> {
        let jid = Jid::pn(to.trim_start_matches('+'));
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        self.client()
            .send_message_with_options(jid, message, SendOptions::default().with_message_id(id))
            .await?;
        Ok(())
    }

    /// The same into any chat.
    pub async fn send_in(&self, chat: &Jid, message: wa::Message, id: &str) -> Result<()> {
        let options = SendOptions::default().with_message_id(id);
        self.client().send_message_with_options(chat.clone(), message, options).await?;
        Ok(())
    }

    pub async fn acknowledged(&mut self, id: &str) -> Result<Option<String>> {
        self.expect("acknowledgement", |event| match event {
            Event::ServerAck(ack) if ack.id == id => Some(ack.error.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for a receipt of this type, named as in `ReceiptType`.
    pub async fn receipt(&mut self, id: &str, kind: &str) -> Result<()> {
        self.expect(&format!("{kind} receipt"), |event| match event {
            Event::Receipt(receipt)
                if receipt.message_ids.iter().any(|known| known == id)
                    && format!("{:?}", receipt.r#type) == kind =>
            {
                Some(())
            },
            _ => None,
        })
        .await
    }

    /// Stops the client and keeps its store.
    pub async fn stop(self) -> Arc<InMemoryBackend> {
        self.handle.shutdown().await;
        self.backend
    }
}

pub fn text(message: &wa::Message) -> Option<String> {
    message
        .conversation
        .clone()
        .or_else(|| message.extended_text_message.as_option().and_then(|text| text.text.clone()))
}

/// Waits for something that must come: a stanza for which a client was told to look out, say.
pub async fn in_time<T, E: std::error::Error + Send + Sync + 'static>(
    what: &str,
    wait: impl Future<Output = Result<T, E>>,
) -> Result<T> {
    let found = tokio::time::timeout(DEADLINE, wait).await;
    Ok(found.with_context(|| format!("waited in vain for: {what}"))??)
}

/// Asks again until the answer is right; the sandbox tells nobody about what happens inside of it.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let wait = async {
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.with_context(|| format!("waited in vain for: {what}"))?
}

/// Waits for a change of a group from which `pick` takes something.
pub async fn update<T>(
    client: &mut TestClient,
    what: &str,
    mut pick: impl FnMut(&Action) -> Option<T>,
) -> Result<T> {
    client
        .expect(what, |event| match event {
            Event::GroupUpdate(update) => pick(&update.action),
            _ => None,
        })
        .await
}
