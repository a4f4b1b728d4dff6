//! The least of a server, for tests: one request a connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{Credentials, Http, Registry};

/// Answers every request by `answer` of its head, and keeps the heads.
pub(crate) async fn server(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).await.unwrap() == 0 {
                    break;
                }
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let text = answer(&head);
            kept.lock().unwrap().push(head);
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (url, heads)
}

/// An answer 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A client of the server at `url`.
pub(crate) fn registry(url: &str) -> Registry {
    let http = Http::new(url.parse().unwrap(), None, Duration::from_secs(5));
    Registry::new(http, Some(Credentials { user: "kim".into(), secret: "secret".to_owned().into() }))
}
