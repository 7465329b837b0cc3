//! The files of the build, kept in memory with their compressed forms.
//!
//! A file is read when it is first asked for and again when it has changed on disk, so a rebuilt phone needs no restart.
//! Compression happens in the background: until it is done the plain bytes are sent, so nobody waits for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;

use crate::random;

/// A larger file is not a part of a phone.
const MAX_FILE_BYTES: u64 = 32 << 20;
/// Below this, compression saves less than a packet.
const MIN_COMPRESSED_BYTES: usize = 1_024;

/// The folder of the build.
pub(crate) struct Assets {
    folder: PathBuf,
    files: Mutex<BTreeMap<String, Arc<Asset>>>,
}

/// One file.
pub(crate) struct Asset {
    bytes: Bytes,
    modified: Option<SystemTime>,
    etag: HeaderValue,
    content_type: &'static str,
    cache_control: &'static str,
    brotli: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
}

impl Assets {
    /// The files in `folder`, which need not exist yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            files: Mutex::default(),
        }
    }

    /// Where the files are looked for.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is a phone to serve.
    pub(crate) async fn is_built(&self) -> bool {
        self.get("index.html").await.is_some()
    }

    /// The file at `path`, relative to the folder. `None` for anything else: no listing, nothing hidden, no way out.
    pub(crate) async fn get(&self, path: &str) -> Option<Arc<Asset>> {
        if !is_plain(path) {
            return None;
        }
        let (file, known) = (self.folder.join(path), self.known(path));
        let root = self.folder.clone();
        let current = tokio::task::spawn_blocking(move || current(&root, &file, known))
            .await
            .ok()??;
        self.remember(path, &current);
        Some(current)
    }

    fn known(&self, path: &str) -> Option<Arc<Asset>> {
        self.files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }

    fn remember(&self, path: &str, asset: &Arc<Asset>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let before = files.insert(path.to_owned(), Arc::clone(asset));
        if before.is_none_or(|before| !Arc::ptr_eq(&before, asset)) && asset.is_worth_compressing() {
            let asset = Arc::clone(asset);
            tokio::task::spawn_blocking(move || asset.compress());
        }
    }

    /// Reads all files now, so that the first visitor already gets compressed ones.
    pub(crate) async fn warm_up(&self) {
        let root = self.folder.clone();
        let paths = tokio::task::spawn_blocking(move || list(&root))
            .await
            .unwrap_or_default();
        for path in paths {
            self.get(&path).await;
        }
    }
}

impl Asset {
    fn new(path: &Path, bytes: Vec<u8>, modified: Option<SystemTime>) -> Self {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let etag = format!("\"{}\"", HEXLOWER.encode(&random::sha256(&bytes)[..12]));
        Self {
            bytes: bytes.into(),
            modified,
            etag: HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\"")),
            content_type: content_type(name),
            cache_control: cache_control(name),
            brotli: OnceLock::new(),
            gzip: OnceLock::new(),
        }
    }

    /// The file as it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The answer to a GET, as short as the client allows.
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(self.cache_control),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if matches_etag(request, &self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let (body, encoding) = self.body_for(request);
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        (headers, Body::from(body)).into_response()
    }

    fn body_for(&self, request: &HeaderMap) -> (Bytes, Option<&'static str>) {
        if let Some(brotli) = self.brotli.get().filter(|_| accepts(request, "br")) {
            return (brotli.clone(), Some("br"));
        }
        if let Some(gzip) = self.gzip.get().filter(|_| accepts(request, "gzip")) {
            return (gzip.clone(), Some("gzip"));
        }
        (self.bytes.clone(), None)
    }

    fn is_worth_compressing(&self) -> bool {
        let is_text = self.content_type.starts_with("text/") || self.content_type.contains("json");
        let is_code = matches!(self.content_type, "application/wasm" | "image/svg+xml");
        (is_text || is_code) && self.bytes.len() >= MIN_COMPRESSED_BYTES
    }

    fn compress(&self) {
        for (form, place) in [
            (gzip(&self.bytes), &self.gzip),
            (brotli(&self.bytes), &self.brotli),
        ] {
            if let Some(form) = form.filter(|form| form.len() < self.bytes.len()) {
                place.get_or_init(|| form.into());
            }
        }
    }
}

/// The file as it is on disk: `known` if that is still it.
fn current(root: &Path, file: &Path, known: Option<Arc<Asset>>) -> Option<Arc<Asset>> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return None;
    }
    let modified = metadata.modified().ok();
    if let Some(known) = known.filter(|k| k.modified == modified && k.bytes.len() as u64 == metadata.len()) {
        return Some(known);
    }
    // A link inside the folder must not lead out of it.
    if !file.canonicalize().ok()?.starts_with(root.canonicalize().ok()?) {
        return None;
    }
    Some(Arc::new(Asset::new(file, fs::read(file).ok()?, modified)))
}

/// Names only, none hidden: no `..`, no root, no drive, no empty or encoded segment.
fn is_plain(path: &str) -> bool {
    let has_plain_names = path
        .split('/')
        .all(|name| !name.is_empty() && !name.starts_with('.'));
    let has_plain_letters = path
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'%' | b':'));
    has_plain_names
        && has_plain_letters
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn list(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    let path = entry.path();
                    let names = path.strip_prefix(root).ok().and_then(Path::to_str);
                    paths.extend(names.map(|names| names.replace(std::path::MAIN_SEPARATOR, "/")));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    paths
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        _ => "application/octet-stream",
    }
}

/// A file whose name holds the hash of its content never changes; everything else is asked for each time, which costs
/// a 304: pages, the service worker, and the worker whose address is the same in every release.
fn cache_control(name: &str) -> &'static str {
    if has_content_hash(name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// `name-HASH.ext` as Vite writes it: eight characters of base64url. A word in lower case is none.
fn has_content_hash(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let Some(hash) = stem.len().checked_sub(9).and_then(|start| stem.get(start..)) else {
        return false;
    };
    let is_random = hash.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let is_base64url = hash
        .bytes()
        .skip(1)
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    hash.starts_with('-') && is_random && is_base64url
}

fn matches_etag(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let given = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let etag = etag.to_str().unwrap_or_default();
    given
        .flat_map(|list| list.split(','))
        .any(|one| one.trim().trim_start_matches("W/") == etag)
}

/// Whether the client takes the encoding (RFC 9110 section 12.5.3).
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let given = request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    given.flat_map(|list| list.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        let is_refused = quality
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(encoding) && !is_refused
    })
}

fn gzip(data: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).ok()?;
    encoder.finish().ok()
}

fn brotli(data: &[u8]) -> Option<Vec<u8>> {
    const BUFFER: usize = 1 << 16;
    const QUALITY: u32 = 9;
    const WINDOW: u32 = 22;
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    encoder.write_all(data).ok()?;
    encoder.flush().ok()?;
    Some(encoder.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::TestFolder;

    fn request(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn only_hashed_names_are_immutable() {
        for hashed in [
            "index-BX3f_9aQ.js",
            "clearline_wasm_bg-D1b2-_4x.wasm",
            "a-12345678.css",
        ] {
            assert!(has_content_hash(hashed), "{hashed}");
        }
        for stable in [
            "sw.js",
            "index.html",
            "worker.js",
            "phone-signalling.js",
            "phone-internal.js",
            "A2345678.js",
        ] {
            assert!(!has_content_hash(stable), "{stable}");
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        let folder = TestFolder::new("assets-outside");
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::write(folder.path().join("secret.txt"), "x").unwrap();
        fs::write(folder.path().join("dist/.env"), "x").unwrap();
        fs::write(folder.path().join("dist/ok.txt"), "x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(
            folder.path().join("secret.txt"),
            folder.path().join("dist/link.txt"),
        )
        .unwrap();
        let assets = Assets::new(folder.path().join("dist"));
        for path in [
            "../secret.txt",
            "%2e%2e/secret.txt",
            "/etc/passwd",
            ".env",
            "link.txt",
            "",
            "a//b",
            ".",
        ] {
            assert!(assets.get(path).await.is_none(), "{path}");
        }
        assert!(assets.get("ok.txt").await.is_some());
    }

    #[tokio::test]
    async fn a_changed_file_is_served_anew() {
        let folder = TestFolder::new("assets-changed");
        let (file, assets) = (
            folder.path().join("index.html"),
            Assets::new(folder.path().to_owned()),
        );
        assert!(!assets.is_built().await);
        fs::write(&file, "one").unwrap();
        let first = assets.get("index.html").await.unwrap();
        assert!(Arc::ptr_eq(&first, &assets.get("index.html").await.unwrap()));
        fs::write(&file, "three").unwrap();
        assert_eq!(assets.get("index.html").await.unwrap().bytes(), b"three");
    }

    #[test]
    fn answers_are_as_short_as_the_client_allows() {
        let asset = Asset::new(Path::new("app.js"), vec![b'a'; 5_000], None);
        let body = |encodings| asset.body_for(&request(header::ACCEPT_ENCODING, encodings)).1;
        assert_eq!(body("br, gzip"), None);
        asset.compress();
        assert_eq!(body("gzip, deflate, br"), Some("br"));
        assert_eq!(body("gzip;q=0.5, br;q=0"), Some("gzip"));
        assert_eq!(body("identity"), None);
        let etag = asset.etag.to_str().unwrap();
        let again = asset.respond(&request(header::IF_NONE_MATCH, &format!("\"x\", W/{etag}")));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
