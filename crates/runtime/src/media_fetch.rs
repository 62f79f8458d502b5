use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout_at};
use waxwing_app::ports::{FetchError, Fetched, FetchedBody, MediaFetch, PortError};

use crate::{
    file_names::{from_disposition, from_url},
    guard::{Failure, Guard},
};

/// How long a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchTimes {
    /// For the connection, with its name and its TLS.
    pub connect: Duration,
    /// For the answer, and then between any two pieces of it.
    pub pause: Duration,
    /// For all of it.
    pub total: Duration,
}

impl Default for FetchTimes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), pause: seconds(15), total: seconds(120) }
    }
}

/// Fetches files, and only from addresses that may be reached, whatever their names resolve to.
///
/// Nothing that an answer says about its length is believed. Compressed answers are neither asked for nor unpacked, so that
/// what is counted is what is handed on.
pub struct GuardedFetch {
    client: Client,
    guard: Guard,
    times: FetchTimes,
}

impl GuardedFetch {
    /// `allow_loopback` is for sandbox builds, whose files are on the developer's machine.
    pub fn new(allow_loopback: bool, times: FetchTimes) -> Result<Self, reqwest::Error> {
        let guard = Guard { allow_loopback };
        // Files come from many hosts, each once: no connection is worth keeping.
        let client =
            guard.client(times.connect).read_timeout(times.pause).pool_max_idle_per_host(0).build()?;
        Ok(Self { client, guard, times })
    }

    fn checked(&self, url: &str) -> Result<Url, FetchError> {
        self.guard.check(url).map_err(|reason| FetchError::Forbidden(reason.to_owned()))
    }
}

#[async_trait]
impl MediaFetch for GuardedFetch {
    async fn fetch(&self, url: &str, size_max: u64) -> Result<Fetched, FetchError> {
        let url = self.checked(url)?;
        let until = Instant::now() + self.times.total;
        let answer = timeout_at(until, self.client.get(url.clone()).send())
            .await
            .map_err(|_| FetchError::NoAnswer(too_slow(self.times.total)))?
            .map_err(|error| match Failure::from(error) {
                Failure::Forbidden(reason) => FetchError::Forbidden(reason),
                Failure::NoAnswer(reason) => FetchError::NoAnswer(reason),
            })?;
        match answer.status() {
            StatusCode::OK => {},
            status if status.is_redirection() => return Err(FetchError::Redirected(status.as_u16())),
            status => return Err(FetchError::Status(status.as_u16())),
        }
        if answer.content_length().is_some_and(|announced| announced > size_max) {
            return Err(FetchError::TooLarge { size_max });
        }
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = text(CONTENT_TYPE).map(str::to_owned);
        let filename = text(CONTENT_DISPOSITION).and_then(from_disposition).or_else(|| from_url(&url));
        let body = Body { answer, left: size_max, size_max, until, total: self.times.total };
        Ok(Fetched { content_type, filename, body: body.stream() })
    }

    fn check_url(&self, url: &str) -> Result<(), FetchError> {
        self.checked(url).map(|_| ())
    }
}

fn too_slow(total: Duration) -> String {
    format!("the file took longer than {} s", total.as_secs_f32())
}

struct Body {
    answer: Response,
    left: u64,
    size_max: u64,
    until: Instant,
    total: Duration,
}

impl Body {
    fn stream(self) -> FetchedBody {
        stream::try_unfold(self, |mut body| async move {
            let piece = timeout_at(body.until, body.answer.chunk()).await;
            let piece = piece.map_err(|_| PortError::Unavailable(too_slow(body.total)))?;
            let piece = piece.map_err(|error| match Failure::from(error) {
                Failure::Forbidden(reason) | Failure::NoAnswer(reason) => PortError::Unavailable(reason),
            })?;
            let Some(piece) = piece else { return Ok(None) };
            let Some(left) = body.left.checked_sub(piece.len() as u64) else {
                let error = FetchError::TooLarge { size_max: body.size_max };
                return Err(PortError::Corrupt(error.to_string()));
            };
            body.left = left;
            Ok(Some((piece, body)))
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use futures::TryStreamExt;
    use tokio::task::{JoinHandle, spawn_blocking};

    use super::*;

    fn fetch(allow_loopback: bool) -> GuardedFetch {
        crate::install_tls();
        GuardedFetch::new(allow_loopback, FetchTimes::default()).unwrap()
    }

    /// Answers one request with these bytes, and then holds the connection until the client is gone or ends it.
    fn server(answer: Vec<u8>, holds: bool) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/files/a%20picture.png?size=1", listener.local_addr().unwrap());
        let server = spawn_blocking(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let read = socket.read(&mut request).unwrap();
            request.truncate(read);
            // A client that has seen enough hangs up.
            let _ = socket.write_all(&answer);
            if holds {
                let _ = socket.read(&mut [0; 1]);
            }
            String::from_utf8(request).unwrap()
        });
        (url, server)
    }

    fn answer(head: &str, body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 {}\r\n\r\n", head.replace('\n', "\r\n")).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    async fn body(fetched: Fetched) -> Result<Vec<u8>, PortError> {
        fetched
            .body
            .try_fold(Vec::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
    }

    #[tokio::test]
    async fn a_file_comes_with_what_is_said_about_it() {
        let bytes = vec![7; 100_000];
        let head = "200 OK\nContent-Length: 100000\nContent-Type: image/png";
        let (url, asked) = server(answer(head, &bytes), false);
        let fetched = fetch(true).fetch(&url, 100_000).await.unwrap();
        assert_eq!(fetched.content_type.as_deref(), Some("image/png"));
        assert_eq!(fetched.filename.as_deref(), Some("a picture.png"));
        assert_eq!(body(fetched).await.unwrap(), bytes);
        let request = asked.await.unwrap().to_lowercase();
        assert!(request.starts_with("get /files/a%20picture.png?size=1 http/1.1\r\n"), "{request}");
        assert!(!request.contains("accept-encoding"), "{request}");
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_is_refused_whatever_its_length_is_said_to_be() {
        let (url, asked) = server(answer("200 OK\nContent-Length: 1001", &[7; 1001]), false);
        let refused = fetch(true).fetch(&url, 1000).await.map(|_| ());
        assert_eq!(refused, Err(FetchError::TooLarge { size_max: 1000 }));
        asked.await.unwrap();

        // One chunk after the other, without a length and without an end.
        let endless =
            b"1f4\r\n".iter().chain(&[7; 500]).chain(b"\r\n").copied().collect::<Vec<u8>>().repeat(3);
        let (url, asked) = server(answer("200 OK\nTransfer-Encoding: chunked", &endless), true);
        let fetched = fetch(true).fetch(&url, 1000).await.unwrap();
        let refused = body(fetched).await.unwrap_err();
        assert!(matches!(&refused, PortError::Corrupt(why) if why.contains("1000")), "{refused}");
        asked.await.unwrap();

        // A length that is too small cuts off what follows.
        let (url, asked) = server(answer("200 OK\nContent-Length: 10", &[7; 1001]), false);
        let fetched = fetch(true).fetch(&url, 1000).await.unwrap();
        assert_eq!(body(fetched).await.unwrap(), [7; 10]);
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_or_stops_is_an_error_and_no_shorter_file() {
        let (url, asked) = server(answer("200 OK\nContent-Length: 1000", &[7; 10]), false);
        let fetched = fetch(true).fetch(&url, 1000).await.unwrap();
        let broken = body(fetched).await.unwrap_err();
        assert!(broken.is_transient(), "{broken}");
        asked.await.unwrap();

        let short = Duration::from_millis(200);
        let long = Duration::from_secs(600);
        for (pause, total) in [(short, long), (long, short)] {
            let times = FetchTimes { pause, total, ..FetchTimes::default() };
            let fetch = GuardedFetch::new(true, times).unwrap();
            let (url, asked) = server(answer("200 OK\nContent-Length: 1000", &[7; 10]), true);
            let fetched = fetch.fetch(&url, 1000).await.unwrap();
            let stopped = body(fetched).await.unwrap_err();
            assert!(stopped.is_transient(), "{stopped}");
            asked.await.unwrap();
            let (url, asked) = server(Vec::new(), true);
            let silent = fetch.fetch(&url, 1000).await.map(|_| ());
            assert!(matches!(silent, Err(FetchError::NoAnswer(_))), "{silent:?}");
            asked.await.unwrap();
        }
    }

    #[tokio::test]
    async fn redirects_and_errors_are_no_files() {
        for (head, expected) in [
            ("302 Found\nLocation: http://169.254.169.254/\nContent-Length: 0", FetchError::Redirected(302)),
            ("308 Moved\nLocation: /other\nContent-Length: 0", FetchError::Redirected(308)),
            ("404 Not Found\nContent-Length: 0", FetchError::Status(404)),
            ("204 No Content", FetchError::Status(204)),
            ("503 Unavailable\nContent-Length: 0", FetchError::Status(503)),
        ] {
            let (url, asked) = server(answer(head, b""), false);
            assert_eq!(fetch(true).fetch(&url, 1000).await.map(|_| ()), Err(expected), "{head}");
            asked.await.unwrap();
        }
    }

    #[tokio::test]
    async fn addresses_out_of_bounds_are_refused_also_behind_names() {
        let strict = fetch(false);
        for url in ["http://127.0.0.1:9/", "http://0x7f.1:9/", "http://localhost:9/"] {
            let refused = strict.fetch(url, 1000).await.map(|_| ());
            assert!(matches!(refused, Err(FetchError::Forbidden(_))), "{url}: {refused:?}");
        }
        assert!(strict.check_url("http://169.254.169.254/latest").is_err());
        assert!(strict.check_url("https://example.com/a.png").is_ok());
        // The same name is asked for where loopback is allowed.
        let tried = fetch(true).fetch("http://localhost:9/", 1000).await.map(|_| ());
        assert!(matches!(tried, Err(FetchError::NoAnswer(_))), "{tried:?}");
    }
}
