//! The certificate's files change while the server runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use railhead_oci::Digest;
use railhead_suites::http::read_answer;
use railhead_suites::railhead::Options;
use railhead_suites::{Railhead, TestCa};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::curl::Curl;
use crate::{REPOSITORY, layer, make_owner};

type Connection = StreamOwned<ClientConnection, TcpStream>;

#[test]
fn a_new_pair_is_served_without_a_restart_and_a_broken_one_is_not() {
    let scratch = tempfile::tempdir().unwrap();
    let mut railhead = Railhead::start(scratch.path(), Options { tls: true, ..Options::default() });
    let curl = Curl::new(railhead.address(), &make_owner(&railhead), scratch.path());
    let old = railhead.ca().ca_file();
    // More than the buffers of both ends hold, so that the download cannot end before it is read.
    let content = layer(5, 48);
    let file = scratch.path().join("content");
    fs::write(&file, &content).unwrap();
    let digest = Digest::sha256(&content);
    let (body, target) =
        (format!("@{}", file.display()), format!("/v2/{REPOSITORY}/blobs/uploads/?digest={digest}"));
    assert_eq!(curl.ask(&old, &["--data-binary", &body], &target).status, 201);
    railhead.cli(["repo", "visibility", REPOSITORY, "public"]).ok();

    let mut download = connect(railhead.address(), &old).expect("the first certificate is trusted");
    let blob = format!("/v2/{REPOSITORY}/blobs/{digest}");
    write!(download, "GET {blob} HTTP/1.1\r\nHost: {}\r\n\r\n", railhead.address()).unwrap();
    let mut first = vec![0; 1000];
    download.read_exact(&mut first).unwrap();

    let next = TestCa::make(&scratch.path().join("next"));
    let (certificate, key) = (railhead.ca().certificate(), railhead.ca().key());
    replace(&certificate, &fs::read(next.certificate()).unwrap());
    replace(&key, &fs::read(next.key()).unwrap());
    let address = railhead.address();
    railhead.wait_for("the new certificate", |_| connect(address, &next.ca_file()).ok());
    assert!(connect(address, &old).is_err(), "the old certificate is still served");
    // By a client that checks everything, too.
    assert_eq!(curl.ask(&next.ca_file(), &[], "/healthz").status, 200);

    let answer = read_answer(first.as_slice().chain(&mut download), false).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body == content, "the download that ran over the change is damaged");

    replace(&certificate, b"this is no certificate");
    railhead.wait_for("a complaint", |log| log.find("holds no certificate"));
    assert!(connect(address, &next.ca_file()).is_ok(), "a broken file took the place of a good one");
    // The right certificate with another's key is as broken.
    let stray = TestCa::make(&scratch.path().join("stray"));
    replace(&certificate, &fs::read(stray.certificate()).unwrap());
    railhead.wait_for("a complaint", |log| log.find("does not serve the certificate"));
    assert!(connect(address, &next.ca_file()).is_ok(), "half a pair took the place of a whole one");
    replace(&key, &fs::read(stray.key()).unwrap());
    railhead.wait_for("the third certificate", |_| connect(address, &stray.ca_file()).ok());
}

/// As programs that renew certificates do: nobody ever sees half a file.
fn replace(file: &Path, content: &[u8]) {
    let new = file.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, file).unwrap();
}

/// A connection on which the server has proved itself to who trusts `ca` alone.
fn connect(address: SocketAddr, ca: &Path) -> std::io::Result<Connection> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), address.ip().into()).unwrap();
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    tls.complete_io(&mut tcp)?;
    Ok(StreamOwned::new(tls, tcp))
}
