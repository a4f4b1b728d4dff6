//! Everything that keeps an answer from being there.

use std::time::Duration;

use railhead_client::hops::{Broke, Hop, Step};
use tokio::net::{TcpListener, TcpSocket};

use crate::server::{HOST, Reply, Server, settings, walk};

#[tokio::test]
async fn a_name_that_is_not_there() {
    let walk = walk(settings(), &"public=http://git.invalid".parse().unwrap()).await;
    assert_eq!(walk.resolve.broke().unwrap().kind, Broke::NameUnknown);
    assert!(matches!(walk.connect, Step::Skipped { behind: Some(Hop::Resolve), .. }));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let walk = walk(settings(), &format!("x=http://{HOST},connect={address}").parse().unwrap()).await;
    assert_eq!(walk.connect.broke().unwrap().kind, Broke::Refused);
    assert!(matches!(walk.registry, Step::Skipped { behind: Some(Hop::Connect), .. }));
}

#[tokio::test]
async fn a_port_that_does_not_answer() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Its queue has room for one, and nobody is ever taken from it.
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _waiting = tokio::net::TcpStream::connect(address).await.unwrap();
    let walk = walk(settings(), &format!("x=http://{HOST},connect={address}").parse().unwrap()).await;
    assert_eq!(walk.connect.broke().unwrap().kind, Broke::ConnectTimeout);
    assert!(walk.millis < 2_000, "{}", walk.millis);
}

#[tokio::test]
async fn what_answers_a_handshake_is_told_apart() {
    let alert = |code: u8| -> &'static [u8] {
        match code {
            70 => b"\x15\x03\x01\x00\x02\x02\x46",
            112 => b"\x15\x03\x03\x00\x02\x02\x70",
            116 => b"\x15\x03\x03\x00\x02\x02\x74",
            _ => b"\x15\x03\x03\x00\x02\x02\x28",
        }
    };
    for (bytes, kind) in [
        (alert(70), Broke::TlsVersion),
        (alert(112), Broke::TlsName),
        (alert(116), Broke::TlsClientCertificate),
        (alert(40), Broke::TlsHandshake),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Broke::NotTls),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Broke::NotTls),
        (b"", Broke::Closed),
    ] {
        let server = Server::start_raw(bytes).await;
        let walk = walk(settings(), &server.tls_route()).await;
        let broke = walk.tls.broke().unwrap();
        assert_eq!(broke.kind, kind, "{} {}", bytes.escape_ascii(), broke.detail);
        if kind == Broke::NotTls {
            assert_eq!(broke.detail, bytes.escape_ascii().to_string());
        }
    }
}

#[tokio::test]
async fn a_server_of_plain_http_that_closes_on_a_handshake_is_recognised() {
    let server = Server::start(|_| Reply::new("401 Unauthorized", &[], "")).await;
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closing.local_addr().unwrap();
    let upstream = server.address;
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = closing.accept().await {
            let mut first = [0; 1];
            if stream.peek(&mut first).await.is_ok() && first[0] == b'G' {
                let mut other = tokio::net::TcpStream::connect(upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
            }
        }
    });
    let walk = walk(settings(), &format!("x=https://{HOST},connect={address}").parse().unwrap()).await;
    task.abort();
    let broke = walk.tls.broke().unwrap();
    assert_eq!(broke.kind, Broke::NotTls, "{broke:?}");
    assert!(broke.detail.starts_with("HTTP/1.1 401"), "{broke:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    for (bytes, kind) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], Broke::NotHttp),
        (b"\x15\x03\x01\x00\x02\x02\x46", Broke::NotHttp),
        (b"HTTP/1.1 abc\r\n\r\n", Broke::NotHttp),
        (b"", Broke::Closed),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n", Broke::Closed),
    ] {
        let server = Server::start(move |_| Reply::Bytes(bytes.to_vec())).await;
        let walk = walk(settings(), &server.route()).await;
        let broke = walk.registry.broke().unwrap();
        assert_eq!(broke.kind, kind, "{} {}", bytes.escape_ascii(), broke.detail);
        if kind == Broke::NotHttp {
            assert_eq!(broke.detail, bytes.escape_ascii().to_string());
        }
    }
    // A banner that comes before anything was asked.
    let server = Server::start_raw(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.registry.broke().unwrap().kind, Broke::NotHttp, "{:?}", walk.registry);
}

#[tokio::test]
async fn silence_costs_its_time_once() {
    let server = Server::start(|_| Reply::Stall(Vec::new())).await;
    let mut settings = settings();
    settings.answer_timeout = Duration::from_millis(300);
    let walk = walk(settings, &server.route()).await;
    assert_eq!(walk.registry.broke().unwrap().kind, Broke::AnswerTimeout);
    assert!((300..900).contains(&walk.millis), "{}", walk.millis);
}

#[tokio::test]
async fn silence_in_the_handshake_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let walk = walk(settings(), &format!("x=https://{HOST},connect={address}").parse().unwrap()).await;
    assert_eq!(walk.tls.broke().unwrap().kind, Broke::AnswerTimeout);
}
