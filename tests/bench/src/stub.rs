//! What a function finds around itself on AWS, on a loopback port: Lambda's runtime API, with one event, and so much of
//! AWS's APIs as a start asks for. Nothing of it is encrypted, and it answers at once.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
    task::{JoinHandle, JoinSet},
};

const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
/// No request of a function's start is larger.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// What the function did, and when.
#[derive(Debug)]
pub(crate) enum Seen {
    /// It asked for an event.
    Next(Instant),
    /// It answered the event with this.
    Answer(Instant, Vec<u8>),
    /// It did something that no good start does.
    Fault(String),
}

/// Listens until it is dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    listening: JoinHandle<()>,
}

struct Around {
    /// Until it was handed out: there is no second.
    event: Mutex<Option<Value>>,
    secret: String,
    tell: mpsc::UnboundedSender<Seen>,
}

struct Request {
    method: String,
    path: String,
    target: String,
    body: Vec<u8>,
}

impl Stub {
    /// Calls the function that comes with `event`, once, and answers with `secret` whoever asks for one.
    pub(crate) async fn start(event: Value, secret: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tell, seen) = mpsc::unbounded_channel();
        let around = Arc::new(Around { event: Mutex::new(Some(event)), secret, tell });
        let listening = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let around = Arc::clone(&around);
                connections.spawn(async move {
                    if let Err(error) = serve(connection, &around).await {
                        let _ = around.tell.send(Seen::Fault(format!("{error:#}")));
                    }
                });
            }
        });
        Ok(Self { address, seen, listening })
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(connection: TcpStream, around: &Around) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut connection = BufReader::new(connection);
    while let Some(request) = read(&mut connection).await? {
        let at = Instant::now();
        let (method, path) = (request.method.as_str(), request.path.as_str());
        let (status, headers, body) = match (method, path.strip_prefix(INVOCATION)) {
            ("GET", Some("next")) => {
                let event = around.event.lock().await.take();
                // Who asks for a second waits until it is killed.
                let Some(event) = event else { return std::future::pending().await };
                let _ = around.tell.send(Seen::Next(at));
                let headers = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 4102444800000\r\n\
                    lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:000000000000:function:bench\r\n";
                (200, headers, event.to_string())
            },
            ("POST", Some("1/response")) => {
                let _ = around.tell.send(Seen::Answer(at, request.body));
                (202, "", String::new())
            },
            ("POST", None) if path == "/" => (200, "", aws(&request, &around.secret)?.to_string()),
            _ => bail!("{method} {path}: {}", String::from_utf8_lossy(&request.body)),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} \r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        connection.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// What AWS answers: there is each secret, and no row.
fn aws(request: &Request, secret: &str) -> Result<Value> {
    match request.target.as_str() {
        "secretsmanager.GetSecretValue" => Ok(json!({ "SecretString": secret })),
        "DynamoDB_20120810.Query" => Ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 })),
        target => bail!("{target} is not part of a start"),
    }
}

/// One request; none when the other end closed.
async fn read(connection: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let (mut first, mut target, mut length) = (String::new(), String::new(), 0);
    if connection.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "transfer-encoding" => bail!("a body of unknown length"),
            "x-amz-target" => value.trim().clone_into(&mut target),
            _ => {},
        }
    }
    if length > BODY_LIMIT_BYTES {
        bail!("a body of {length} bytes");
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, path) = words.next().zip(words.next()).context("a request has a method and a path")?;
    Ok(Some(Request { method, path, target, body }))
}
