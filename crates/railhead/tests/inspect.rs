//! `railhead inspect` and an API server that is not as it should be.

#![allow(clippy::unwrap_used, reason = "a helper of a test that fails fails the test")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use common::{Place, Ran};

/// What is answered to a path; the connection is closed where that is nothing.
type Answer = fn(&str) -> Option<(u16, Value)>;

/// An API server that answers what a test says.
struct Fake {
    place: Place,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::new();
        let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]});
        fs::write(place.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        fs::write(place.path().join("railhead.toml"), "[site]\nhost = 'git.example.com'\n").unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let paths = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let paths = Arc::clone(&paths);
                std::thread::spawn(move || serve(&connection.unwrap(), &paths, answer));
            }
        });
        Self { place, asked }
    }

    fn inspect(&self, more: &str) -> Ran {
        self.place.run(&format!("inspect --kubeconfig kubeconfig{more}"))
    }
}

/// Ends with the connection.
fn serve(connection: &TcpStream, paths: &Mutex<Vec<String>>, answer: Answer) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line).ok()? {
                0 => return None,
                1 | 2 => break,
                _ => head.push(line),
            }
        }
        let path = head.first()?.split(' ').nth(1)?.to_owned();
        paths.lock().unwrap().push(path.clone());
        let (status, body) = answer(path.split('?').next()?)?;
        let body = body.to_string();
        let mut writer = connection;
        write!(
            writer,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
    }
}

fn absent() -> (u16, Value) {
    (
        404,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "message": "not found"}),
    )
}

fn version() -> (u16, Value) {
    (200, json!({"major": "1", "minor": "33", "gitVersion": "v1.33.13"}))
}

#[test]
fn an_api_server_that_goes_away_in_the_middle_is_named_and_nothing_is_kept() {
    let fake = Fake::start(|path| match path {
        "/version" => Some(version()),
        "/api/v1/services" => None,
        _ => Some(absent()),
    });
    let err = fake.inspect("").failed(6);
    assert!(
        err.contains("cannot list services") && err.contains("the API server at http://127.0.0.1:"),
        "{err}"
    );
    assert!(!fake.place.path().join("railhead-evidence").exists(), "half an inspection is none");
}

#[test]
fn names_with_odd_characters_stay_names() {
    // The API server allows none of them; who asks may be talking to another one.
    const ODD: &str = "a\u{1b}[2J/../../secrets?x=1#\n%2e\u{202e}";
    let fake = Fake::start(|path| match path {
        "/version" => Some(version()),
        "/apis/apps/v1/deployments" => {
            let labels = json!({"app": "gitea"});
            Some((
                200,
                json!({"items": [{"metadata": {"name": ODD, "namespace": ODD},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": ODD, "image": "gitea/gitea:1.25.4"}]}}},
                "status": {"readyReplicas": 1, "updatedReplicas": 1}}]}),
            ))
        }
        "/api/v1/pods" => Some((
            200,
            json!({"items": [{"metadata": {"name": ODD, "namespace": ODD, "labels": {"app": "gitea"}},
            "spec": {"nodeName": ODD, "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}]}),
        )),
        _ => Some(absent()),
    });
    let ran = fake.inspect("");
    assert!(ran.out.contains("Deployment") && ran.out.contains("gitea 1.25.4"), "{ran:?}");
    for said in [&ran.out, &ran.err] {
        assert!(!said.contains(['\u{1b}', '\r']), "{said:?}");
    }
    let json: Value = serde_json::from_str(&fake.inspect(" --output json").out).unwrap();
    assert_eq!(json["inventory"]["forge"]["namespace"], ODD);
    let asked = fake.asked.lock().unwrap();
    let exec = asked.iter().find(|path| path.contains("/exec")).unwrap_or_else(|| panic!("{asked:?}"));
    let path = exec.split('?').next().unwrap();
    assert!(path.starts_with("/api/v1/namespaces/a%1B") && path.split('/').count() == 8, "{path}");
    assert!(asked.iter().all(|path| !path.contains("/../")), "{asked:?}");
}
