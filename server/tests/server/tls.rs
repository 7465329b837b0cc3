//! Encryption with the local CA: a client that trusts it gets through, another does not.

use std::net::SocketAddr;
use std::sync::Arc;

use clearline_server::{Encryption, Options, Server};
use hyper::StatusCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Folder, OURS, SipClient, options, request_over};

async fn connect(at: SocketAddr, name: &str, ca: Option<&str>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca {
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(at).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
        .await
}

#[tokio::test]
async fn who_trusts_the_local_ca_gets_through() {
    let folder = Folder::new();
    let server = Server::start(Options {
        encryption: Encryption::LocalCa,
        ..options(&folder)
    })
    .await
    .unwrap();
    let at = server.address();
    let ca = server.summary().local_ca.clone().unwrap();
    assert!(ca.is_new && ca.instructions().contains(&ca.fingerprint));
    let pem = std::fs::read_to_string(&ca.certificate).unwrap();
    assert!(server.summary().url.starts_with("https://127.0.0.1:"));

    assert!(
        connect(at, "127.0.0.1", None).await.is_err(),
        "nobody trusts it by itself"
    );
    assert!(connect(at, "evil.example", Some(&pem)).await.is_err());
    for name in ["127.0.0.1", "localhost"] {
        let stream = connect(at, name, Some(&pem)).await.unwrap();
        let host = format!("{name}:{}", at.port());
        let answer = request_over(stream, &host, "GET", "/healthz", &[], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
    }
    let stream = connect(at, "localhost", Some(&pem)).await.unwrap();
    let body = r#"{"password":"demo"}"#;
    let signed_in = request_over(stream, "localhost", "POST", "/u/alice/api/session", &[OURS], body).await;
    assert!(signed_in.header("set-cookie").ends_with("; Secure"));

    let stream = connect(at, "localhost", Some(&pem)).await.unwrap();
    let headers = [("sec-websocket-protocol", "sip"), ("origin", "https://localhost")];
    let mut client = SipClient::connect_over(stream, "localhost", "wss", &headers)
        .await
        .unwrap();
    assert_eq!(
        client
            .register("alice", "clearline.localhost", "alice", "demo")
            .await,
        200
    );

    let stream = connect(at, "localhost", Some(&pem)).await.unwrap();
    let served = request_over(stream, "localhost", "GET", "/local-ca.crt", &[], "").await;
    assert_eq!(served.body, pem.as_bytes());
    server.stop().await;
}

#[tokio::test]
async fn plain_http_is_told_to_encrypt() {
    let folder = Folder::new();
    let server = Server::start(Options {
        encryption: Encryption::LocalCa,
        ..options(&folder)
    })
    .await
    .unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn own_certificates_are_used_and_mistakes_named() {
    let folder = Folder::new();
    let first = Server::start(Options {
        encryption: Encryption::LocalCa,
        ..options(&folder)
    })
    .await
    .unwrap();
    let ca = first.summary().local_ca.clone().unwrap().certificate;
    first.stop().await;
    let files = |certificate: &str, key: &str| Encryption::Files {
        certificate: ca.with_file_name(certificate),
        key: ca.with_file_name(key),
    };
    let start = async |encryption| {
        Server::start(Options {
            encryption,
            ..options(&folder)
        })
        .await
    };
    let server = start(files("server.pem", "server-key.pem")).await.unwrap();
    let pem = std::fs::read_to_string(&ca).unwrap();
    assert!(connect(server.address(), "localhost", Some(&pem)).await.is_ok());
    assert!(server.summary().local_ca.is_none());
    for wrong in [
        files("server.pem", "ca-key.pem"),
        files("none.pem", "server-key.pem"),
        files("server-key.pem", "server.pem"),
    ] {
        let error = start(wrong).await.err().unwrap();
        assert!(matches!(error, clearline_server::StartError::Tls(_)), "{error}");
    }
}
