//! No input makes a component trap: every answer is a 2xx or 4xx of the contract.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{Functions, Jwt, RedisServer, token};

const REQUESTS: usize = 400;

#[derive(Clone, Debug)]
struct Input {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Characters that a request target may hold, awkward ones often.
fn target() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "/notifications",
        "/users/alice/notifications",
        "/admin/migrate",
        "/healthz",
        "/readyz",
        "/users/alice/notifications?limit=",
        "/users/",
        "/",
    ]);
    let noise = prop_oneof![
        4 => Just(String::new()),
        2 => "[A-Za-z0-9._~@+|:,;=!$&'()*/?%-]{0,40}",
        1 => "(/|%2F|%00|%ff|%|\\.\\.|//|[a-z]){0,12}",
        1 => "(limit|before|after|x)=[0-9a-z%+&=-]{0,12}",
    ];
    (known, noise).prop_map(|(known, noise)| format!("{known}{noise}"))
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?[0-9]{1,30}(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
        "\\PC{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("\"\\u0000\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z]{0,5}", inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let members = prop::sample::select(vec![
        "userId",
        "title",
        "body",
        "kind",
        "data",
        "expiresAt",
        "rotateEpoch",
        "other",
    ]);
    let object = prop::collection::vec((members, json_text()), 0..7).prop_map(|members| {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let valid = (json_text(), "\\PC{1,220}").prop_map(|(data, title)| {
        let title = serde_json::Value::from(title);
        format!(r#"{{"userId":"alice","title":{title},"data":{data}}}"#).into_bytes()
    });
    prop_oneof![
        3 => valid,
        3 => object,
        1 => json_text().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => Just(vec![b'['; 90_000]),
        1 => Just(Vec::new()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let everything = token("alice", "feed:read notifications:write ops:write");
    let authorization = prop_oneof![
        8 => Just(format!("Bearer {everything}")),
        1 => Just(format!("Bearer {}", Jwt::of("alice").unsigned())),
        1 => "[ -~]{0,60}",
        1 => "[bB]earer [A-Za-z0-9._-]{0,80}",
    ];
    let names = prop::sample::select(vec![
        "x-request-id",
        "if-none-match",
        "origin",
        "access-control-request-method",
        "content-type",
        "idempotency-key",
        "accept",
        "x-forwarded-for",
    ]);
    let others = prop::collection::vec((names, "[ -~]{0,60}"), 0..4);
    (authorization, others).prop_map(|(authorization, mut headers)| {
        headers.push(("authorization", authorization));
        headers
    })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![anything(), create()]
}

/// A request that gets as far as its body.
fn create() -> impl Strategy<Value = Input> {
    let writer = format!("Bearer {}", token("alice", "notifications:write"));
    body().prop_map(move |body| Input {
        method: "POST",
        target: "/notifications".to_owned(),
        headers: vec![("authorization", writer.clone())],
        body,
    })
}

fn anything() -> impl Strategy<Value = Input> {
    let method = prop::sample::select(vec![
        "POST", "POST", "POST", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "FOO",
    ]);
    (method, target(), headers(), body()).prop_map(|(method, target, headers, body)| Input {
        method,
        target,
        headers,
        body,
    })
}

#[tokio::test]
async fn no_input_makes_a_component_trap() {
    let redis = RedisServer::start().await;
    let functions =
        Functions::with(&redis).variable("cors_origins", "https://app.example").start().await;
    // Always the same inputs: a failure can be repeated.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = input();
    let mut created = 0;
    for _ in 0..REQUESTS {
        let input = strategy.new_tree(&mut runner).unwrap().current();
        let mut call = functions.call(input.method, &input.target).body(input.body.clone());
        for (name, value) in &input.headers {
            call = call.header(name, value.trim());
        }
        // The client checks the answer's form and that its code is a known one.
        let answer = call.send().await;
        let is_fine = matches!(answer.status, 200..=299 | 304 | 400..=499);
        assert!(is_fine, "{} {input:?}", answer.status);
        created += usize::from(answer.status == 201);
    }
    assert!(created > REQUESTS / 50, "only {created} creates: the inputs miss the point");
    assert!(!functions.output().contains("wasm trap"), "{}", functions.output());
    functions.notify("alice", "still here").await;
    functions.feed("alice").await.expect(200);
}
