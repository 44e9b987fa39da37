//! `GET /metrics` over HTTP/1.1: for Prometheus, on a port of its own, away from clients.
//!
//! A page is made when it is asked for. Bounded: connections at once, time for a request's head, and time for a page, after
//! which the asker gets 503 instead of a hanging connection. Nothing of a request is kept or echoed.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

use crate::{codes, page};

/// Connections at once; more wait. A scraper needs one.
const CONNECTIONS: usize = 16;
/// Time for the head of a request, between requests too: an idle connection makes room for another.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Time in which a page is made. Prometheus gives up after 10 s unless told otherwise.
const PAGE_WITHIN: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection (too many open files): it is asked again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Makes the text of a scrape.
pub type MakePage = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// The endpoint while it listens. Dropping it ends it.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens, with the port that was taken.
    pub local_addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens and answers until the endpoint is dropped. Port 0 takes a free one.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, make: MakePage) -> io::Result<Endpoint> {
    listen(address, make, PAGE_WITHIN).await
}

async fn listen(address: SocketAddr, make: MakePage, page_within: Duration) -> io::Result<Endpoint> {
    let listener = TcpListener::bind(address).await?;
    let local_addr = listener.local_addr()?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let task = tokio::spawn(async move {
        // The semaphore is never closed.
        while let Ok(place) = room.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let make = make.clone();
                    tokio::spawn(async move {
                        answer(stream, make, page_within).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(code = codes::METRICS_UNREACHABLE, %error, "a connection to the metrics was not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    });
    Ok(Endpoint { local_addr, task })
}

/// Answers the requests of one connection. How it ended is nobody's concern: scrapers come again.
async fn answer(stream: TcpStream, make: MakePage, page_within: Duration) {
    let respond = service_fn(move |request| respond(request, make.clone(), page_within));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let _ = server.serve_connection(TokioIo::new(stream), respond).await;
}

async fn respond(
    request: Request<Incoming>,
    make: MakePage,
    page_within: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |status, text: &'static str| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return Ok(text(StatusCode::NOT_FOUND, "ask for /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match tokio::time::timeout(page_within, make()).await {
        Ok(page) => {
            let mut response = Response::new(Full::from(page));
            let kind = hyper::header::HeaderValue::from_static(page::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the metrics could not be gathered in time\n"),
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(endpoint: &Endpoint, request: &str) -> String {
        let mut stream = TcpStream::connect(endpoint.local_addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn get(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
    }

    #[tokio::test]
    async fn only_metrics_are_answered() {
        let make: MakePage = Arc::new(|| Box::pin(async { "# EOF\n".to_owned() }));
        let endpoint = serve("127.0.0.1:0".parse().unwrap(), make).await.unwrap();
        let answer = ask(&endpoint, &get("/metrics?name=any")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n# EOF\n"), "{answer}");
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
        assert!(ask(&endpoint, &get("/")).await.starts_with("HTTP/1.1 404"));
        let post = "POST /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert!(ask(&endpoint, post).await.starts_with("HTTP/1.1 405"));
        assert!(ask(&endpoint, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
        let address = endpoint.local_addr;
        assert!(serve(address, Arc::new(|| Box::pin(async { String::new() }))).await.is_err(), "the port is taken");
    }

    #[tokio::test]
    async fn a_page_that_does_not_come_is_told_so() {
        let make: MakePage = Arc::new(|| Box::pin(std::future::pending()));
        let endpoint = listen("127.0.0.1:0".parse().unwrap(), make, Duration::from_millis(1)).await.unwrap();
        assert!(ask(&endpoint, &get("/metrics")).await.starts_with("HTTP/1.1 503"));
    }
}
