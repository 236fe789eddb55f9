//! Looks through resources.toml before anything is built: a mistake is found here, with its line,
//! and not by the first request.

#[allow(dead_code, reason = "the component uses the rest")]
#[path = "src/origins.rs"]
mod origins;
#[allow(dead_code, reason = "the component uses the rest")]
#[path = "src/resources.rs"]
mod resources;
#[allow(dead_code, reason = "the component uses the rest")]
#[path = "src/template.rs"]
mod template;
#[path = "src/toml_table.rs"]
mod toml_table;

fn main() {
    println!("cargo::rerun-if-changed=resources.toml");
    println!("cargo::rerun-if-changed=src");
    let problem = match std::fs::read_to_string("resources.toml") {
        Ok(text) => match resources::Resources::parse(&text) {
            Ok(_) => return,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    println!("cargo::error=functions/cache/resources.toml: {problem}");
}
