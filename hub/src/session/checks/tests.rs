use http::header::HeaderValue;
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::json;
use shared::auth::{KeyConfig, KeySet};

use super::*;
use crate::config::RedisTarget;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW_S: f64 = 1_800_000_000.0;

fn config() -> Config {
    let keys = KeyConfig { hs256_key: SECRET.to_owned(), ..KeyConfig::default() };
    let redis = RedisTarget::parse("redis://127.0.0.1").unwrap();
    Config {
        allowed_origins: vec!["https://app.example".to_owned()],
        ..Config::defaults(redis, KeySet::new(&keys).unwrap()).unwrap()
    }
}

fn token(sub: &str) -> String {
    let claims = json!({"sub": sub, "exp": NOW_S + 60.0});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn outcome(config: &Config, pairs: &[(&'static str, &str)]) -> Result<Accepted, Refused> {
    outcome_of(config, Transport::WebSocket, &headers(pairs), "")
}

fn outcome_of(
    config: &Config,
    transport: Transport,
    headers: &HeaderMap,
    query: &str,
) -> Result<Accepted, Refused> {
    let query = shared::path::query_pairs(query).unwrap();
    match credential(config, headers, &query)? {
        Credential::Token(token) => {
            let bearer = verify(config, &token, NOW_S)?;
            assert_eq!(bearer.accepted_until_s, NOW_S + 60.0 + 60.0);
            check(config, transport, headers, &query, &bearer)
        }
        Credential::Ticket(ticket) => {
            Err(Reason::Ticket.because(Error::new(Code::NotFound, ticket)))
        }
    }
}

fn refusal(pairs: &[(&'static str, &str)]) -> Code {
    outcome(&config(), pairs).unwrap_err().error.code()
}

#[test]
fn takes_the_token_from_the_header_or_the_protocols() {
    let token = token("alice");
    let accepted = outcome(&config(), &[("authorization", &format!("bearer {token}"))]).unwrap();
    assert_eq!(accepted.user.as_str(), "alice");
    assert_eq!((accepted.protocol, accepted.is_offered), (Protocol::Raw, false));

    let bearer = format!("bearer.{token}");
    for (offers, protocol) in [
        (vec![format!("bellwire.v1, {bearer}")], Protocol::V1),
        (vec![format!("{bearer},bellwire.raw,bellwire.v1")], Protocol::Raw),
        (vec![bearer, "bellwire.v1".to_owned()], Protocol::V1),
    ] {
        let pairs: Vec<_> =
            offers.iter().map(|offer| ("sec-websocket-protocol", offer.as_str())).collect();
        let accepted = outcome(&config(), &pairs).unwrap();
        assert_eq!((accepted.protocol, accepted.is_offered), (protocol, true));
    }
}

#[test]
fn refuses_in_the_order_of_the_contract() {
    let good = format!("Bearer {}", token("alice"));
    let (only_bearer, queue) = (format!("bearer.{}", token("alice")), token("my:queue"));
    assert_eq!(refusal(&[]), Code::Unauthorized);
    assert_eq!(refusal(&[("authorization", "Basic eA==")]), Code::Unauthorized);
    assert_eq!(refusal(&[("authorization", "Bearer x.y.z")]), Code::Unauthorized);
    let evil = ("origin", "https://evil.example");
    assert_eq!(refusal(&[evil]), Code::Unauthorized);
    assert_eq!(refusal(&[("authorization", &good), evil]), Code::Forbidden);
    assert_eq!(refusal(&[("authorization", &format!("Bearer {queue}"))]), Code::Forbidden);
    assert_eq!(refusal(&[("sec-websocket-protocol", &only_bearer)]), Code::InvalidField);
    let unknown = ("sec-websocket-protocol", "graphql-ws");
    assert_eq!(refusal(&[("authorization", &good), unknown]), Code::InvalidField);

    let without_keys = Config { keys: native::identity::Keys::none(), ..config() };
    for pairs in [&[][..], &[("authorization", good.as_str())]] {
        let refused = outcome(&without_keys, pairs).unwrap_err();
        assert_eq!(refused.error.code(), Code::AuthNotConfigured);
    }
}

#[test]
fn origins_are_exact() {
    let good = format!("Bearer {}", token("alice"));
    let with = |origin| outcome(&config(), &[("authorization", &good), ("origin", origin)]);
    assert!(with("https://app.example").is_ok());
    for other in ["https://app.example.evil", "http://app.example", "https://app.example:1", "null"]
    {
        assert_eq!(with(other).unwrap_err().error.code(), Code::Forbidden, "{other}");
    }
}

#[test]
fn a_token_in_the_url_is_taken_only_where_configured() {
    let query = format!("x=1&access_token={}", token("alice"));
    let check_with =
        |config: &Config| outcome_of(config, Transport::WebSocket, &HeaderMap::new(), &query);
    assert_eq!(check_with(&config()).unwrap_err().error.code(), Code::Unauthorized);
    assert!(check_with(&Config { allow_query_token: true, ..config() }).is_ok());
}

#[test]
fn a_ticket_counts_where_there_is_no_token() {
    let good = format!("Bearer {}", token("alice"));
    let with =
        |pairs| outcome_of(&config(), Transport::Events, &headers(pairs), "ticket=t").unwrap_err();
    assert_eq!(with(&[]).error.detail(), "t");
    let accepted =
        outcome_of(&config(), Transport::Events, &headers(&[("authorization", &good)]), "ticket=t");
    assert_eq!(accepted.unwrap().protocol, Protocol::Events);
}

#[test]
fn the_last_event_counts_more_than_the_address_and_only_for_event_streams() {
    let good = format!("Bearer {}", token("alice"));
    let cursor = |transport, last: &str| {
        let headers = headers(&[("authorization", &good), ("last-event-id", last)]);
        let query = "since=id:a";
        outcome_of(&config(), transport, &headers, query).unwrap().cursor.unwrap()
    };
    let id = Cursor::Id("a".into());
    assert_eq!(cursor(Transport::Events, ""), id);
    assert_eq!(cursor(Transport::WebSocket, "e:5"), id);
    assert_eq!(cursor(Transport::Events, "e:5"), Cursor::from_event_id(b"e:5"));
    assert_eq!(cursor(Transport::Events, "?"), Cursor::Unknown);
}

/// The headers that a handshake considers, with any bytes that a value may have.
fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let names = ["authorization", "sec-websocket-protocol", "origin", "last-event-id"];
    let value = prop_oneof![
        prop::collection::vec(prop_oneof![Just(b'\t'), 32_u8..127, 128_u8..=255], 0..40),
        "(Bearer |bearer\\.|bellwire\\.(v1|raw)|,| |[a-z.]{0,5}){0,5}".prop_map(String::into_bytes),
        Just(format!("Bearer {}", token("alice")).into_bytes()),
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), value), 0..6).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        pairs.map(|(name, value)| (name.parse().unwrap(), value.try_into().unwrap())).collect()
    })
}

proptest! {
    #[test]
    fn no_handshake_without_a_valid_token_is_accepted(headers in any_headers(), query in "\\PC{0,40}") {
        let good = format!("Bearer {}", token("alice"));
        // A second header is refused: a proxy may have checked the other one.
        let tokens: Vec<_> = headers.get_all("authorization").iter().collect();
        let is_good = tokens == [good.as_str()];
        let query = shared::path::query_pairs(&query).unwrap_or_default();
        let config = config();
        for transport in [Transport::WebSocket, Transport::Events] {
            let bearer = match credential(&config, &headers, &query) {
                Ok(Credential::Token(token)) => verify(&config, &token, NOW_S),
                Ok(Credential::Ticket(_)) => continue,
                Err(error) => Err(error),
            };
            prop_assert_eq!(bearer.is_ok(), is_good);
            if let Ok(bearer) = bearer {
                let has_origin = headers.contains_key(http::header::ORIGIN);
                let accepted = check(&config, transport, &headers, &query, &bearer);
                prop_assert!(!(has_origin && accepted.is_ok()), "an origin that is not listed");
            }
        }
    }
}
