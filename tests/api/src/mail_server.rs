//! A mail server that keeps what it gets.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A mail as it came over the wire.
#[derive(Debug, Clone)]
pub struct ReceivedMail {
    /// To whom, by the envelope.
    pub to: String,
    /// Headers and parts, quoted-printable undone.
    pub text: String,
}

/// A running mail server (RFC 5321, as much of it as a client needs). Dropping it ends it.
pub struct MailServer {
    /// `smtp://…`
    pub url: String,
    mails: Arc<Mutex<Vec<ReceivedMail>>>,
    server: JoinHandle<()>,
}

impl MailServer {
    /// Starts on a free port. It says for the first `refusals` mails that it has no time now.
    pub async fn start(refusals: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let mails = Arc::<Mutex<Vec<ReceivedMail>>>::default();
        let kept = mails.clone();
        let server = tokio::spawn(async move {
            let mut left = refusals;
            while let Ok((socket, _)) = listener.accept().await {
                // One after the other: nothing here is about speed.
                if let Ok(true) = serve(socket, left > 0, &kept).await {
                    left -= 1;
                }
            }
        });
        Ok(Self { url, mails, server })
    }

    /// What came so far.
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// True when a mail was refused.
async fn serve(socket: TcpStream, busy: bool, mails: &Mutex<Vec<ReceivedMail>>) -> Result<bool> {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await? {
        let command = line.to_ascii_uppercase();
        let answer = match command.split([' ', ':']).next().context("a command")? {
            "RCPT" if busy => {
                write.write_all(b"451 later\r\n").await?;
                return Ok(true);
            },
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).context("an address")?.to_owned();
                "250 ok"
            },
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut raw = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    raw += &line;
                    raw += "\n";
                }
                let text = raw.replace("=\n", "").replace("=3D", "=");
                let mail = ReceivedMail { to: to.clone(), text };
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                "250 taken"
            },
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(false);
            },
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(false)
}
