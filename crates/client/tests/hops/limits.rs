//! Proxies with limits.

use std::time::Duration;

use railhead_client::hops::{LimitSettings, Limits, Settings, Slow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{HOST, Server, registry, settings, walk};

/// What the proxy does to a `PATCH`; everything else it passes on.
#[derive(Clone, Copy)]
enum Habit {
    /// Refuses what is announced larger than this.
    Size(u64),
    /// Closes when a request takes longer, or pauses longer, than this.
    Whole(Duration),
    Between(Duration),
    /// Reads everything, and says nothing.
    Swallow,
    /// Answers what no registry reads after, or before, its body.
    Late,
    Early,
}

async fn limits(habit: Habit) -> Limits {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let upstream = server.address;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, upstream, habit));
        }
    });
    let settings = Settings {
        limits: Some(LimitSettings {
            size: 10 << 30,
            time: Duration::from_secs(2),
            watch: Duration::from_millis(400),
        }),
        answer_timeout: Duration::from_secs(1),
        ..settings()
    };
    let walk = walk(settings, &format!("x=http://{HOST},connect={address}").parse().unwrap()).await;
    task.abort();
    walk.limits.unwrap_or_else(|| panic!("{:?}", walk.write))
}

async fn pass(mut stream: TcpStream, upstream: std::net::SocketAddr, habit: Habit) {
    let mut head = vec![0; 64 << 10];
    let Ok(count) = stream.peek(&mut head).await else { return };
    let text = String::from_utf8_lossy(&head[..count]).to_lowercase();
    // Whether the body is kept in front is asked by one that no registry reads.
    let is_unread = text.starts_with("get /v2/") && text.contains("content-length: 1048576");
    if !text.starts_with("patch") && !is_unread {
        let mut other = TcpStream::connect(upstream).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
        return;
    }
    let announced = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<u64>().ok());
    let refused = "HTTP/1.1 413 Content Too Large\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n";
    let status = if is_unread { "200 OK" } else { "202 Accepted" };
    let taken = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let mut buffer = vec![0; 64 << 10];
    match habit {
        Habit::Size(size) if announced.is_some_and(|length| length > size) => {
            let _ = stream.write_all(refused.as_bytes()).await;
            while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        }
        Habit::Early if is_unread => {
            let _ = stream.write_all(taken.as_bytes()).await;
            while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        }
        Habit::Whole(time) => {
            let _ = tokio::time::timeout(time, drain(&mut stream, &mut buffer, announced, None)).await;
        }
        Habit::Between(time) => {
            if drain(&mut stream, &mut buffer, announced, Some(time)).await {
                let _ = stream.write_all(taken.as_bytes()).await;
            } else {
                let late = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(late.as_bytes()).await;
            }
        }
        Habit::Swallow => {
            drain(&mut stream, &mut buffer, announced, None).await;
            std::future::pending::<()>().await;
        }
        _ => {
            drain(&mut stream, &mut buffer, announced, None).await;
            let _ = stream.write_all(taken.as_bytes()).await;
        }
    }
}

/// Reads a request to its end; false when it paused for longer than `patience`.
async fn drain(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    length: Option<u64>,
    patience: Option<Duration>,
) -> bool {
    let mut all: Vec<u8> = Vec::new();
    loop {
        let patience = patience.unwrap_or(Duration::from_mins(1));
        let Ok(Ok(count)) = tokio::time::timeout(patience, stream.read(buffer)).await else { return false };
        if count == 0 {
            return true;
        }
        all.extend_from_slice(&buffer[..count]);
        let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let is_whole = match length {
            Some(length) => (all.len() - end - 4) as u64 >= length,
            None => all.ends_with(b"0\r\n\r\n"),
        };
        if is_whole {
            return true;
        }
    }
}

#[tokio::test]
async fn a_limit_of_size_is_found_between_two_sizes() {
    let limits = limits(Habit::Size(64 << 20)).await;
    let (size, answer) = limits.size.refused.unwrap();
    assert_eq!((limits.size.passed, size, answer.status), (10 << 20, (100 << 20) + 1, 413));
    assert_eq!(answer.header("server"), Some("nginx"));
    assert!(matches!(limits.trickle, Slow::Passed { millis } if millis >= 2_000), "{:?}", limits.trickle);
}

#[tokio::test]
async fn a_proxy_without_limits_passes_everything() {
    let limits = limits(Habit::Early).await;
    assert_eq!((limits.size.passed, limits.size.refused), (10 << 30, None));
    assert!(matches!(limits.pause, Slow::Passed { .. }), "{:?}", limits.pause);
    assert_eq!(limits.buffered, Some(false));
}

#[tokio::test]
async fn a_proxy_that_keeps_a_request_until_it_is_whole_is_seen() {
    assert_eq!(limits(Habit::Late).await.buffered, Some(true));
}

#[tokio::test]
async fn a_limit_of_time_cuts_both_slow_bodies() {
    let limits = limits(Habit::Whole(Duration::from_millis(1_100))).await;
    for slow in [limits.trickle, limits.pause] {
        assert!(matches!(slow, Slow::Cut { millis: 1_000..2_000, whole: false, answer: None }), "{slow:?}");
    }
}

#[tokio::test]
async fn a_limit_between_two_reads_cuts_the_pause_only() {
    let limits = limits(Habit::Between(Duration::from_millis(1_500))).await;
    assert!(matches!(limits.trickle, Slow::Passed { .. }), "{:?}", limits.trickle);
    match limits.pause {
        Slow::Cut { millis, whole: false, answer: Some(answer) } => {
            assert!(answer.status == 408 && millis < 2_000);
        }
        slow => panic!("{slow:?}"),
    }
}

#[tokio::test]
async fn what_is_taken_and_never_answered_is_said() {
    let limits = limits(Habit::Swallow).await;
    assert!(matches!(limits.trickle, Slow::Unanswered { .. }), "{:?}", limits.trickle);
    assert_eq!(limits.buffered, None);
}
