//! What it costs to know who calls, to count what they ask for, and to look at a password.
//!
//! Prints a row of the table for each figure; `cargo xtask bench authentication` runs it. What is compared is measured by
//! turns in one run, so that a busy machine is busy for both.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should panic")]

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use async_trait::async_trait;
use axum::{Router, body::Body, http::Request};
use tower_service::Service as _;
use waxwing_api::{Api, RateLimits};
use waxwing_app::{
    commands::{AccountLimits, Commands, Onboarded},
    execute::{Cause, CommandPorts},
    features::FeatureSwitches,
    id_source::IdSource,
    kept_mail::KeptMail,
    ports::{Pairing, PairingCode, PairingCodeError, WebhookPost, WebhookPostError, WebhookRequest},
};
use waxwing_domain::{AccountId, Network, PhoneNumber, Secret, SessionId};
use waxwing_embedded::Engine;
use waxwing_runtime::{OsEntropy, SystemClock};

const ROUNDS: usize = 7;
/// Calls of one round.
const CALLS: usize = 4_000;
/// Sign-ins of each kind.
const SIGN_INS: usize = 400;
/// Memory in KiB and passes: the first is ours, all are those that OWASP's cheat sheet on passwords names as equal, and
/// RFC 9106's second recommendation.
const ARGON2: [(u32, u32, u32); 5] =
    [(19_456, 2, 1), (47_104, 1, 1), (12_288, 3, 1), (9_216, 4, 1), (65_536, 3, 4)];

/// What the router does not need here.
struct Nobody;

#[async_trait]
impl Pairing for Nobody {
    async fn pairing_code(
        &self,
        _: AccountId,
        _: SessionId,
        _: &PhoneNumber,
    ) -> Result<PairingCode, PairingCodeError> {
        Err(PairingCodeError::NotPairing)
    }
}

#[async_trait]
impl WebhookPost for Nobody {
    async fn post(&self, _: WebhookRequest) -> Result<u16, WebhookPostError> {
        Err(WebhookPostError::Forbidden("a bench".to_owned()))
    }

    fn check(&self, _: &str) -> Result<(), WebhookPostError> {
        Ok(())
    }
}

struct Office {
    api: Api,
    owner: Onboarded,
}

async fn office(folder: &std::path::Path) -> Office {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(OsEntropy));
    let engine = Engine::open(folder, clock.clone(), entropy.clone()).unwrap();
    let ports = CommandPorts::new(engine.journal(), engine.secrets(), clock.clone()).alone();
    let ids = Arc::new(IdSource::new(clock, entropy.clone()));
    let commands = Commands {
        ports: ports.clone(),
        records: engine.records(),
        entropy,
        ids: ids.clone(),
        network: Network::Sandbox,
        limits: AccountLimits::default(),
    };
    let owner = commands.onboard("Bench".to_owned(), "ada@example.com".to_owned(), &Cause::system()).await;
    let api = Api {
        features: Arc::new(FeatureSwitches::new(ports.clone(), false)),
        mail: Arc::new(KeptMail { ports, records: engine.records() }),
        records: engine.records(),
        search: Some(engine.search()),
        work: engine.work(),
        commands,
        ids,
        pairing: Arc::new(Nobody),
        webhooks: Arc::new(Nobody),
        sessions: None,
        sandbox: None,
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
        answer_within: Duration::from_secs(60),
        rate_limits: Arc::default(),
        ready: Arc::new(AtomicBool::new(true)),
    };
    Office { api, owner: owner.unwrap() }
}

fn row(what: &str, value: String, remark: &str) {
    println!("| {what} | {value} | {remark} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds of one call, as each of `ROUNDS` saw it.
async fn timed(calls: usize, mut call: impl AsyncFnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..calls {
        call().await;
    }
    began.elapsed().as_secs_f64() * 1e6 / calls as f64
}

async fn get(router: &mut Router, path: &str, credential: &str) {
    let request = Request::get(path).header("authorization", format!("Bearer {credential}"));
    let answer = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

async fn requests(Office { api, owner }: &Office) {
    let key = owner.api_key.0.clone();
    let signed_in =
        api.commands.sign_in(&owner.owner_email, &owner.owner_password, None, None, &Cause::system()).await;
    let token = signed_in.unwrap().access_token.0;
    let mut limited = waxwing_api::router(api.clone());
    let unlimited = Api { rate_limits: Arc::new(RateLimits::unlimited()), ..api.clone() };
    let mut unlimited = waxwing_api::router(unlimited);
    // A process that has read nothing lately.
    let CommandPorts { journal, secrets, clock, .. } = api.commands.ports.clone();
    let anew = || Commands {
        ports: CommandPorts::new(journal.clone(), secrets.clone(), clock.clone()),
        ..api.commands.clone()
    };
    let mut figures: [Vec<f64>; 7] = Default::default();
    for _ in 0..ROUNDS {
        let all = [
            timed(CALLS, async || drop(api.commands.authenticate(&key).await.unwrap())).await,
            timed(CALLS, async || drop(anew().authenticate(&key).await.unwrap())).await,
            timed(CALLS, async || drop(api.commands.authenticate(&token).await.unwrap())).await,
            timed(CALLS, async || drop(anew().authenticate(&token).await.unwrap())).await,
            timed(CALLS, async || get(&mut limited, "/health", &key).await).await,
            timed(CALLS, async || get(&mut limited, "/api/v1/api-keys", &key).await).await,
            timed(CALLS, async || get(&mut unlimited, "/api/v1/api-keys", &key).await).await,
        ];
        figures.iter_mut().zip(all).for_each(|(all, figure)| all.push(figure));
        // The buckets fill again.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let [by_key, key_anew, by_token, token_anew, health, list, free] = figures.map(median);
    let remark = format!("without a socket, one after the other, median of {ROUNDS} rounds of {CALLS}");
    let both = |recent: f64, anew: f64| format!("{recent:.0}, {anew:.0}");
    row("authentication by API key, µs: read lately, read anew", both(by_key, key_anew), &remark);
    row("authentication by access token, µs: read lately, read anew", both(by_token, token_anew), &remark);
    row("`GET /health`, µs", format!("{health:.0}"), "no credential; the rest as above");
    row("`GET /api/v1/api-keys` with one key, µs", format!("{list:.0}"), "authenticated and counted");
    let overhead = (list - free) / free * 100.0;
    row(
        "the same with nothing counted, µs",
        format!("{free:.0}"),
        &format!("the limiter adds {overhead:.1} %"),
    );
}

/// How many hashes a second all cores make.
fn hashes_per_s(memory_kib: u32, passes: u32, lanes: u32) -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (began, lasts) = (Instant::now(), Duration::from_secs(2));
    let hash = move || {
        let params = Params::new(memory_kib, passes, lanes, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut count = 0_u32;
        while began.elapsed() < lasts {
            argon2.hash_password_with_salt(b"a field of five barley stems", &[7; 16]).unwrap();
            count += 1;
        }
        f64::from(count)
    };
    let threads: Vec<_> = (0..cores).map(|_| std::thread::spawn(hash)).collect();
    let count: f64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    count / began.elapsed().as_secs_f64()
}

fn argon2_settings() {
    for (index, (memory_kib, passes, lanes)) in ARGON2.into_iter().enumerate() {
        let remark = match index {
            0 => "ours; all cores, and no more than four at once in one process",
            _ => "for comparison, all cores",
        };
        let what = format!("sign-ins/s by argon2id with m={memory_kib} KiB, t={passes}, p={lanes}");
        row(&what, format!("{:.0}", hashes_per_s(memory_kib, passes, lanes)), remark);
    }
}

/// Mean and variance in milliseconds.
fn moments(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Whether the time of a wrong password tells if somebody has the address: Welch's t, which beyond ±3 would say so.
async fn sign_in_timing(Office { api, .. }: &Office) {
    let password = Secret("not the one".to_owned());
    let mut times: [Vec<f64>; 2] = Default::default();
    for number in 0..2 * SIGN_INS {
        let known = number % 2 == 0;
        let email = if known { "ada@example.com" } else { "eve@example.com" };
        let began = Instant::now();
        assert!(api.commands.sign_in(email, &password, None, None, &Cause::system()).await.is_err());
        times[usize::from(known)].push(began.elapsed().as_secs_f64() * 1e3);
    }
    let [(unknown, of_unknown), (known, of_known)] = [0, 1].map(|kind: usize| moments(&times[kind]));
    let t = (known - unknown) / ((of_known + of_unknown) / SIGN_INS as f64).sqrt();
    row(
        "wrong password, ms: known address, unknown address",
        format!("{known:.2}, {unknown:.2}"),
        &format!(
            "{SIGN_INS} of each by turns; standard deviations {:.2} and {:.2}; Welch's t {t:.2}",
            of_known.sqrt(),
            of_unknown.sqrt()
        ),
    );
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let office = office(folder.path()).await;
    requests(&office).await;
    argon2_settings();
    sign_in_timing(&office).await;
}
