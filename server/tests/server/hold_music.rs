//! The tenant's own music for whoever is put on hold.

use std::path::PathBuf;

use clearline_server::{Options, Server};
use hyper::StatusCode;

use crate::support::{Folder, cookie, device, get, options};

const INSTANCE: &str = "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF";

/// Silence of so many seconds: WAV, 8 kHz, one channel, 16 bit.
fn wav(seconds: u32) -> Vec<u8> {
    let length = seconds * 16_000;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + length).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(8_000_u32.to_le_bytes());
    bytes.extend(16_000_u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(length.to_le_bytes());
    bytes.resize(44 + length as usize, 0);
    bytes
}

/// What a device is told of it, and what is served.
async fn told(
    folder: &Folder,
    hold_music: Option<PathBuf>,
) -> (serde_json::Value, StatusCode, Vec<u8>, String) {
    let server = Server::start(Options {
        hold_music,
        ..options(folder)
    });
    let server = server.await.unwrap();
    let at = server.address();
    let cookie = cookie(at, "alice").await;
    let device = device(at, "alice", &cookie, INSTANCE).await.json();
    let served = get(at, "/hold-music", &[]).await;
    let content_type = served.header("content-type").to_owned();
    server.stop().await;
    (
        device["holdMusic"].clone(),
        served.status,
        served.body.to_vec(),
        content_type,
    )
}

#[tokio::test]
async fn it_is_told_to_devices_and_served_as_it_is() {
    let folder = Folder::new();
    let path = folder.path().join("music.wav");
    std::fs::write(&path, wav(2)).unwrap();
    let (address, status, body, content_type) = told(&folder, Some(path)).await;
    assert_eq!(address, "/hold-music");
    assert_eq!((status, content_type.as_str()), (StatusCode::OK, "audio/wav"));
    assert!(body == wav(2));
}

#[tokio::test]
async fn without_it_or_with_a_file_that_is_none_phones_play_their_melody() {
    let folder = Folder::new();
    let bad = [
        ("noise.wav", b"RIFFnoise".to_vec()),
        ("short.wav", wav(0)),
        ("large.wav", wav(300)),
        ("page.html", b"<!doctype html>".to_vec()),
    ];
    let mut wishes = vec![None, Some(folder.path().join("missing.wav"))];
    for (name, bytes) in bad {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        wishes.push(Some(path));
    }
    for wish in wishes {
        let (address, status, ..) = told(&folder, wish.clone()).await;
        assert_eq!(
            (address.is_null(), status),
            (true, StatusCode::NOT_FOUND),
            "{wish:?}"
        );
    }
}
