//! Prints the document; `make openapi` writes it to `docs/openapi.json`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(openapi::text().as_bytes())
}
