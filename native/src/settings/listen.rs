//! An address to listen on, as people write it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Parses `address:port`; `port` and `localhost:port` mean this machine, `:port` every address.
///
/// # Errors
/// What to write instead.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
    let Ok(port) = port.parse::<u16>() else {
        return Err(match text.parse::<IpAddr>() {
            Ok(_) => format!("the port is missing: write {text}:3001, or [{text}]:3001 for IPv6"),
            Err(_) => "must be address:port, such as 127.0.0.1:3001, or a port".to_owned(),
        });
    };
    match host {
        "localhost" => Ok((Ipv4Addr::LOCALHOST, port).into()),
        "" | "*" => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        _ => Err(format!(
            "{host:?} is not an IP address: write 127.0.0.1:{port} for this machine only, or \
             0.0.0.0:{port} for every address"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, address) in [
            ("127.0.0.1:3001", "127.0.0.1:3001"),
            ("[::1]:3001", "[::1]:3001"),
            ("3515", "127.0.0.1:3515"),
            ("localhost:3515", "127.0.0.1:3515"),
            (":3515", "0.0.0.0:3515"),
            ("*:0", "0.0.0.0:0"),
        ] {
            assert_eq!(listen(text).unwrap().to_string(), address, "{text}");
        }
        for (text, problem) in [
            ("example.com:80", "\"example.com\" is not an IP address"),
            ("127.0.0.1", "the port is missing"),
            ("localhost", "must be address:port"),
            ("", "must be address:port"),
            ("localhost:65536", "must be address:port"),
            ("127.0.0.1:x", "must be address:port"),
        ] {
            let error = listen(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
