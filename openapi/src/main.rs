//! Prints one of the documents: `openapi json` and `openapi page HEAD_FILE`. `make docs-generated`
//! writes them to `docs/`.

use std::io::{Error, Write as _};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = match arguments.as_slice() {
        ["json"] => openapi::text(),
        ["page", head] => openapi::page(&std::fs::read_to_string(head)?),
        _ => return Err(Error::other("usage: openapi json | openapi page HEAD_FILE")),
    };
    std::io::stdout().write_all(text.as_bytes())
}
