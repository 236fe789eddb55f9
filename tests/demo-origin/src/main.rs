//! Stands in for a team's settings service in `make up`: `GET /settings` answers one document, with
//! an `ETag` and `Cache-Control`, so that the example resource has an origin to ask.
//!
//! Not a server to learn from: one request per connection, on the loopback interface only.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

const SETTINGS: &str = r#"{"theme":"dark","itemsPerPage":20,"features":["feeds","cache"]}"#;
const ETAG: &str = "\"settings-1\"";
/// Longest wait for each read and write of a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const HEAD_BYTES_MAX: u64 = 16 * 1024;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|text| text.parse::<u16>().ok());
    let Some(port) = port else {
        eprintln!("usage: bellwire-demo-origin PORT");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    for stream in listener.incoming().flatten() {
        if let Err(error) = answer(stream) {
            eprintln!("{error}");
        }
    }
    ExitCode::SUCCESS
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let lines = BufReader::new((&stream).take(HEAD_BYTES_MAX)).lines();
    let head: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    if head.is_empty() {
        return Ok(()); // A check whether the port is in use.
    }
    let is_settings = head.first().is_some_and(|line| line.starts_with("GET /settings "));
    let is_known = head.iter().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("if-none-match:") && line.contains(ETAG)
    });
    let (status, body) = match (is_settings, is_known) {
        (true, true) => ("304 Not Modified", ""),
        (true, false) => ("200 OK", SETTINGS),
        (false, _) => ("404 Not Found", r#"{"error":"there is only /settings"}"#),
    };
    let fields = match is_settings {
        true => format!("ETag: {ETAG}\r\nCache-Control: max-age=30\r\n"),
        false => String::new(),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {fields}Connection: close\r\n\r\n{body}"
    )
}
