//! Makes a table of the files in `client/dist` for `src/assets`: each under its own name, and under
//! a name that contains a hash of its content, both with compressed forms. Compressing here costs
//! nothing per request and allows the slowest, best settings.
//!
//! A service worker has no hashed name: browsers register it under one address for ever, and ask
//! there whether it has changed.
//!
//! `"./name"` in a file is a reference to another one. Under a hashed name the references are hashed
//! names too, so that a cache that keeps the first file for ever gets what it was made for.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256, Sha384};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Relative to this package.
const DIST: &str = "../client/dist";
/// Bytes of a hash in a name: an accident needs billions of versions.
const HASH_BYTES: usize = 8;
/// Names below a path that pages use; `MANIFEST` is not a file.
const FOLDER: &str = "/assets/";
const MANIFEST: &str = "/assets/manifest.json";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    let files = Files(read(Path::new(DIST))?);
    let mut hashed = BTreeMap::new();
    for name in files.0.keys() {
        files.hash(name, &mut hashed, &mut Vec::new())?;
    }
    let table = table(&files, &hashed)?;
    let target = std::env::var("OUT_DIR")?;
    fs::write(Path::new(&target).join("assets.rs"), table)?;
    Ok(())
}

/// The files by name.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        media_type(&name)?;
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        files.insert(name, text);
    }
    Ok(files)
}

fn media_type(name: &str) -> Result<&'static str> {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("json") => Ok("application/json"),
        _ => Err(format!("{DIST}/{name}: hub/build.rs knows no media type for it").into()),
    }
}

fn is_page(name: &str) -> bool {
    name.ends_with(".html")
}

fn is_worker(name: &str) -> bool {
    name.ends_with("-worker.js")
}

struct Files(BTreeMap<String, String>);

/// A file under its hashed name.
struct Hashed {
    name: String,
    text: String,
}

impl Files {
    /// Whether a file belongs to a page: `console.js` and `console-main.js` to `console.html`. Such
    /// a file needs no name that stays.
    fn is_part_of_a_page(&self, name: &str) -> bool {
        let page = name.split(['-', '.']).next().unwrap_or_default();
        self.0.contains_key(&format!("{page}.html"))
    }

    /// Adds a file and, before it, those that it refers to.
    fn hash(
        &self,
        name: &str,
        hashed: &mut BTreeMap<String, Hashed>,
        open: &mut Vec<String>,
    ) -> Result<()> {
        if hashed.contains_key(name) || is_page(name) || is_worker(name) {
            return Ok(());
        }
        if open.iter().any(|known| known == name) {
            return Err(
                format!("{DIST}: {} and {name} refer to each other", open.join(", ")).into()
            );
        }
        open.push(name.to_owned());
        for reference in self.references(name)? {
            self.hash(&reference, hashed, open)?;
        }
        open.pop();
        let text = linked(&self.0[name], |reference| format!("./{}", hashed[reference].name));
        let hash = hex(&Sha256::digest(&text)[..HASH_BYTES]);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let hashed_name = format!("{stem}.{hash}.{extension}");
        hashed.insert(name.to_owned(), Hashed { name: hashed_name, text });
        Ok(())
    }

    /// The files that a file refers to.
    ///
    /// # Errors
    /// One of them is missing, or has no hashed name.
    fn references(&self, name: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        linked(&self.0[name], |reference| {
            found.push(reference.to_owned());
            String::new()
        });
        let is_unknown =
            |name: &&String| is_page(name) || is_worker(name) || !self.0.contains_key(*name);
        match found.iter().find(is_unknown) {
            Some(other) => Err(format!("{DIST}/{name} refers to {other}: no module there").into()),
            None => Ok(found),
        }
    }
}

/// `text` with every reference replaced. A reference is a whole literal `"./name.extension"`; that
/// is what a minifier leaves of imports, static and dynamic, and what stands in a page.
fn linked(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let mut linked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("./") {
        let (before, behind) = rest.split_at(at);
        linked.push_str(before);
        let quote = before.chars().next_back().filter(|char| ['"', '\''].contains(char));
        let name = &behind[2..];
        let end = name.find(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char));
        let (name, behind_name) = name.split_at(end.unwrap_or(name.len()));
        if quote.is_some_and(|quote| behind_name.starts_with(quote)) && media_type(name).is_ok() {
            linked.push_str(&replace(name));
            rest = behind_name;
        } else {
            linked.push_str("./");
            rest = &behind[2..];
        }
    }
    linked + rest
}

/// The Rust source of the table.
fn table(files: &Files, hashed: &BTreeMap<String, Hashed>) -> Result<String> {
    let mut table = "static ASSETS: &[Asset] = &[\n".to_owned();
    for (name, text) in &files.0 {
        if is_page(name) {
            files.references(name)?;
            // Relative: a proxy may serve the hub below another path.
            let text = linked(text, |reference| format!("assets/{}", hashed[reference].name));
            asset(&mut table, name, None, "Page", &text)?;
            continue;
        }
        if is_worker(name) {
            asset(&mut table, name, Some(&format!("/{name}")), "Worker", text)?;
            continue;
        }
        if !files.is_part_of_a_page(name) {
            asset(&mut table, name, Some(&format!("/{name}")), "Revalidate", text)?;
        }
        let file = &hashed[name];
        asset(&mut table, name, Some(&format!("{FOLDER}{}", file.name)), "Immutable", &file.text)?;
    }
    asset(&mut table, "manifest.json", Some(MANIFEST), "Revalidate", &manifest(files, hashed))?;
    table.push_str("];\n");
    Ok(table)
}

/// The hashed paths, with the hashes that `integrity` takes (Subresource Integrity), as JSON. No
/// name or hash has characters to escape.
fn manifest(files: &Files, hashed: &BTreeMap<String, Hashed>) -> String {
    let own = hashed.iter().filter(|(name, _)| !files.is_part_of_a_page(name));
    let lines = own.map(|(name, file)| {
        let integrity = BASE64.encode(Sha384::digest(&file.text));
        let path = format!("{FOLDER}{}", file.name);
        format!("  \"{name}\": {{\"path\": \"{path}\", \"integrity\": \"sha384-{integrity}\"}}")
    });
    format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
}

/// Appends an entry of the table; the bytes go to files of their own.
fn asset(
    table: &mut String,
    name: &str,
    path: Option<&str>,
    caching: &str,
    text: &str,
) -> Result<()> {
    let tag = hex(&Sha256::digest(text)[..HASH_BYTES]);
    let media_type = media_type(name)?;
    let include = |coding: &str, bytes: &[u8]| -> Result<String> {
        let file = Path::new(&std::env::var("OUT_DIR")?).join(format!("{tag}{coding}"));
        fs::write(&file, bytes)?;
        Ok(format!("include_bytes!({:?})", file.to_str().ok_or("the path is not text")?))
    };
    let smaller = |coding: &str, bytes: Vec<u8>| -> Result<String> {
        match bytes.len() < text.len() {
            true => Ok(format!("Some({})", include(coding, &bytes)?)),
            false => Ok("None".to_owned()),
        }
    };
    let identity = include("", text.as_bytes())?;
    let gzip = smaller(".gz", gzip(text.as_bytes())?)?;
    let brotli = smaller(".br", brotli(text.as_bytes())?)?;
    writeln!(
        table,
        "    Asset {{ name: {name:?}, path: {path:?}, caching: Caching::{caching}, media_type: \
         {media_type:?}, tag: {tag:?}, identity: {identity}, gzip: {gzip}, brotli: {brotli} }},"
    )?;
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn brotli(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let settings = brotli::enc::BrotliEncoderParams {
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        quality: 11,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut bytes, &mut compressed, &settings)?;
    Ok(compressed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
