//! Validates resources.toml before the build: a mistake fails the build with its line, instead of
//! the first request.

fn main() {
    println!("cargo::rerun-if-changed=resources.toml");
    let problem = match std::fs::read_to_string("resources.toml") {
        Ok(text) => match resources::Resources::parse(&text) {
            Ok(_) => return,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    println!("cargo::error=functions/cache/resources.toml: {problem}");
}
