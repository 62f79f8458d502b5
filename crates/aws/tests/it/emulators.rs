//! Starts the emulators, once for all tests of this process.

use std::{
    ffi::OsString,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

/// The machine may be busy with builds.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Its input ends when this process ends, in whatever way; then it ends the emulator, which is its own child.
const KEEPER: &str = r#""$@" & emulator=$!; cat; kill -KILL "$emulator""#;

/// What answers for DynamoDB. Everything else is ministack's in both cases.
#[derive(Clone, Copy)]
pub(crate) enum Dynamo {
    Ministack,
    Local,
}

pub(crate) struct Emulators {
    pub(crate) ministack: String,
    pub(crate) dynamodb_local: String,
    /// Holds the keepers' inputs open.
    _keepers: [Child; 2],
}

/// The running emulators.
pub(crate) fn emulators() -> &'static Emulators {
    static RUNNING: OnceLock<Emulators> = OnceLock::new();
    RUNNING.get_or_init(start)
}

fn start() -> Emulators {
    let (ministack, dynamodb_local) = (required("WAXWING_MINISTACK"), required("WAXWING_DYNAMODB_LOCAL"));
    let [ministack_at, dynamo_at] = free_addresses();
    let ministack_url = format!("http://{ministack_at}");
    let mut command = keeper("ministack", &[ministack.into_os_string()]);
    command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", ministack_at.port().to_string());
    let ministack_keeper = command.env("AWS_ENDPOINT_URL", &ministack_url).spawn().unwrap();
    let dynamo_keeper = keeper("dynamodb-local", &java(&dynamodb_local, dynamo_at)).spawn().unwrap();
    wait_for("ministack", ministack_at);
    wait_for("dynamodb-local", dynamo_at);
    Emulators {
        ministack: ministack_url,
        dynamodb_local: format!("http://{dynamo_at}"),
        _keepers: [ministack_keeper, dynamo_keeper],
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the emulators are is told to this test and to nothing else"
)]
fn required(name: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from).filter(|path| path.exists());
    path.unwrap_or_else(|| {
        panic!("{name} names no file: `cargo xtask test aws` installs the emulators and runs these tests")
    })
}

/// DynamoDB Local behind a main of ours, which lets it listen on this machine only.
fn java(folder: &Path, address: SocketAddr) -> Vec<OsString> {
    let libraries = folder.join("DynamoDBLocal_lib");
    let mut library_path = OsString::from("-Djava.library.path=");
    library_path.push(&libraries);
    let mut class_path = folder.join("DynamoDBLocal.jar").into_os_string();
    class_path.push(":");
    class_path.push(libraries.join("*"));
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/LocalDynamo.java");
    let mut command: Vec<OsString> = vec!["java".into(), library_path, "-cp".into(), class_path, main.into()];
    command.extend(["-inMemory", "-sharedDb", "-port"].map(OsString::from));
    command.push(address.port().to_string().into());
    command
}

fn keeper(name: &str, command: &[OsString]) -> Command {
    let log = File::create(log(name)).unwrap();
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, name]).args(command).stdin(Stdio::piped());
    keeper.stdout(log.try_clone().unwrap()).stderr(log);
    // Ctrl-C ends this process, and then the keeper does its work.
    keeper.process_group(0);
    keeper
}

fn log(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"))
}

fn free_addresses() -> [SocketAddr; 2] {
    // Both held at once, so that they differ.
    let held = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

fn wait_for(name: &str, address: SocketAddr) {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            began.elapsed() < START_TIMEOUT,
            "{name} does not listen on {address}; what it said is in {}",
            log(name).display()
        );
        sleep(Duration::from_millis(50));
    }
}
