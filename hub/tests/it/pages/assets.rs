//! The browser client's files: bytes, compression, caching, and the addresses of imports.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::net::SocketAddr;

use serde_json::Value;

use super::{Fetched, dist, fetch};
use crate::support::Hub;

const FOR_EVER: &str = "public, max-age=31536000, immutable";

async fn get(hub: &Hub, path: &str, headers: &str) -> Fetched {
    fetch(hub.address, "GET", path, headers).await
}

fn accepting(encodings: &str) -> String {
    format!("Accept-Encoding: {encodings}\r\n")
}

/// What a browser makes of a body.
fn decoded(answer: &Fetched) -> Vec<u8> {
    let mut body = answer.body.as_slice();
    let mut bytes = Vec::new();
    match answer.header("content-encoding") {
        None => bytes.extend_from_slice(body),
        Some("br") => {
            brotli_decompressor::BrotliDecompress(&mut body, &mut bytes).unwrap();
        }
        Some("gzip") => {
            flate2::read::GzDecoder::new(body).read_to_end(&mut bytes).unwrap();
        }
        Some(other) => panic!("{other} was not asked for"),
    }
    bytes
}

/// The modules of `client/dist` that are no parts of a page, with their bytes.
fn modules() -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dist()).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        (name, bytes)
    });
    let all: BTreeMap<String, Vec<u8>> = named.collect();
    let page_of = |name: &str| format!("{}.html", name.split(['-', '.']).next().unwrap());
    let mut modules = all.clone();
    modules.retain(|name, _| name.ends_with(".js") && !all.contains_key(&page_of(name)));
    modules
}

/// Service workers have no hashed names.
const WORKER: &str = "push-worker.js";

/// Name, hashed path and integrity of each module, as the hub says.
async fn manifest(hub: &Hub) -> BTreeMap<String, (String, String)> {
    let answer = get(hub, "/assets/manifest.json", "").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-cache")));
    let manifest: BTreeMap<String, Value> = serde_json::from_slice(&answer.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = manifest.into_iter();
    entries.map(|(name, file)| (name, (text(&file["path"]), text(&file["integrity"])))).collect()
}

/// The addresses that a module imports from, as a browser resolves them.
fn imports(path: &str, module: &str) -> BTreeSet<String> {
    let folder = path.rsplit_once('/').unwrap().0;
    let mut found = BTreeSet::new();
    for quote in ['"', '\''] {
        for piece in module.split(quote) {
            let Some(name) = piece.strip_prefix("./") else { continue };
            if name.ends_with(".js") && !name.contains(char::is_whitespace) {
                found.insert(format!("{folder}/{name}"));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_stay_are_the_files_of_the_package() {
    let hub = Hub::start().await;
    let modules = modules();
    assert!(modules.contains_key("client.js") && modules.contains_key("react.js"));
    for (name, bytes) in &modules {
        let answer = get(&hub, &format!("/{name}"), "").await;
        assert_eq!((answer.status, &answer.body), (200, bytes), "{name}");
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("content-length"), Some(bytes.len().to_string().as_str()));
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
    }
    // Parts of pages have no name that stays.
    for path in ["/demo.html", "/demo.js", "/console-main.js"] {
        assert_eq!(get(&hub, path, "").await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_forms_are_smaller_and_decode_to_the_same_bytes() {
    let hub = Hub::start().await;
    let paths = manifest(&hub).await;
    let client = modules().remove("client.js").unwrap();
    for path in ["/client.js", &paths["client.js"].0] {
        let plain = get(&hub, path, "").await;
        let mut sizes = Vec::new();
        for encoding in ["gzip", "br"] {
            let answer = get(&hub, path, &accepting(encoding)).await;
            assert_eq!(answer.header("content-encoding"), Some(encoding), "{path}");
            assert_eq!(decoded(&answer), plain.body, "{path}");
            assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
            assert_ne!(answer.header("etag"), plain.header("etag"));
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            sizes.push(answer.body.len());
        }
        assert!(sizes[1] < sizes[0] && sizes[0] < plain.body.len() / 2, "{sizes:?}");
    }
    // The smallest of equals, unless the client prefers another.
    for (accepted, expected) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("br;q=0, *", Some("gzip")),
        ("identity, gzip;q=0.5", None),
        ("zstd", None),
        ("*;q=0", None),
    ] {
        let answer = get(&hub, "/client.js", &accepting(accepted)).await;
        assert_eq!(answer.header("content-encoding"), expected, "{accepted}");
        assert_eq!(decoded(&answer), client, "{accepted}");
    }
    // Several lines are one list.
    let lines = [accepting("identity"), accepting("gzip;q=0")].concat();
    assert_eq!(get(&hub, "/client.js", &lines).await.header("content-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_file_is_not_sent_again() {
    let hub = Hub::start().await;
    let path = manifest(&hub).await.remove("client.js").unwrap().0;
    for (path, caching) in [("/client.js", "no-cache"), (path.as_str(), FOR_EVER)] {
        for encoding in ["identity", "gzip", "br"] {
            let first = get(&hub, path, &accepting(encoding)).await;
            assert_eq!(first.header("cache-control"), Some(caching));
            let tag = first.header("etag").unwrap();
            assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
            for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                let headers = format!("{}If-None-Match: {known}\r\n", accepting(encoding));
                let again = get(&hub, path, &headers).await;
                assert_eq!((again.status, again.body.len()), (304, 0), "{path} {known}");
                assert_eq!(again.header("etag"), Some(tag));
                assert_eq!(again.header("cache-control"), Some(caching));
                assert_eq!(again.header("vary"), Some("Accept-Encoding"));
                assert_eq!(again.header("access-control-allow-origin"), Some("*"));
            }
            // The tag of another form is not this one's.
            let headers = format!("{}If-None-Match: {tag}\r\n", accepting("deflate"));
            let other = get(&hub, path, &headers).await;
            assert_eq!(other.status, if encoding == "identity" { 304 } else { 200 });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_the_same_without_a_body_and_other_methods_are_refused() {
    let hub = Hub::start().await;
    let path = manifest(&hub).await.remove("client.js").unwrap().0;
    for path in ["/client.js", path.as_str()] {
        for encoding in ["identity", "br"] {
            let get = get(&hub, path, &accepting(encoding)).await;
            let head = fetch(hub.address, "HEAD", path, &accepting(encoding)).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            for name in ["content-length", "content-encoding", "etag", "content-type"] {
                assert_eq!(head.header(name), get.header(name), "{name}");
            }
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let refused = fetch(hub.address, method, path, "Content-Length: 0\r\n").await;
            assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashed_files_never_change_and_everything_that_is_imported_is_served() {
    let hub = Hub::start().await;
    let manifest = manifest(&hub).await;
    let mut modules = modules();
    modules.remove(WORKER);
    assert_eq!(manifest.keys().collect::<Vec<_>>(), modules.keys().collect::<Vec<_>>());
    let hashed: BTreeSet<String> = manifest.values().map(|(path, _)| path.clone()).collect();
    let plain = modules.keys().map(|name| format!("/{name}"));
    let mut open: Vec<String> = hashed.iter().cloned().chain(plain).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = get(&hub, &path, &accepting("br")).await;
        assert_eq!(answer.status, 200, "{path}");
        let is_hashed = path.starts_with("/assets/");
        let caching = if is_hashed { FOR_EVER } else { "no-cache" };
        assert_eq!(answer.header("cache-control"), Some(caching), "{path}");
        let module = String::from_utf8(decoded(&answer)).unwrap();
        let imports = imports(&path, &module);
        // Otherwise a file that is cached for ever would load whatever is newest.
        assert!(!is_hashed || imports.iter().all(|import| hashed.contains(import)), "{path}");
        open.extend(imports);
    }
    let client = get(&hub, &manifest["react.js"].0, "").await;
    assert!(client.text().contains("./client."), "{}", client.text());
    assert!(!client.text().contains("\"./client.js\""));
    assert!(seen.len() >= 2 * modules.len(), "{seen:?}");
    assert_missing(hub.address, "/assets/client.0123456789abcdef.js").await;
    assert_missing(hub.address, "/assets/client.js").await;
    assert_missing(hub.address, "/assets/").await;
    assert_missing(hub.address, "/assets/..%2fclient.js").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_worker_is_asked_for_again_and_may_serve_the_whole_site() {
    let hub = Hub::start().await;
    let path = format!("/{WORKER}");
    let tag = get(&hub, &path, "").await.header("etag").unwrap().to_owned();
    for (headers, status) in [(String::new(), 200), (format!("If-None-Match: {tag}\r\n"), 304)] {
        let answer = get(&hub, &path, &headers).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("service-worker-allowed"), Some("/"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
    }
    assert_eq!(get(&hub, "/client.js", "").await.header("service-worker-allowed"), None);
    let table = get(&hub, "/assets/manifest.json", "").await;
    assert!(!table.text().contains("worker"), "{}", table.text());
}

async fn assert_missing(address: SocketAddr, path: &str) {
    let missing = fetch(address, "GET", path, "").await;
    assert_eq!(
        (missing.status, missing.header("cache-control")),
        (404, Some("no-store")),
        "{path}"
    );
}
