//! CORS (Fetch standard): which pages may call the functions.

use support::{Answer, Functions, RedisServer, token};

const LISTED: [&str; 2] = ["https://app.example", "http://localhost:5173"];
const UNLISTED: [&str; 5] = [
    "https://app.example.evil",
    "https://APP.example",
    "http://app.example",
    "https://app.example/",
    "null",
];

async fn preflight(functions: &Functions, path: &str, origin: &str) -> Answer {
    functions
        .call("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, idempotency-key")
        .send()
        .await
}

fn words(header: &str) -> Vec<String> {
    header.split(',').map(|word| word.trim().to_lowercase()).collect()
}

#[tokio::test]
async fn listed_origins_may_call_and_others_may_not() {
    let redis = RedisServer::start().await;
    let functions =
        Functions::with(&redis).variable("cors_origins", LISTED.join(", ")).start().await;
    let own = token("alice", "");
    let paths = ["/notifications", "/users/alice/notifications", "/healthz"];
    for path in paths {
        for origin in LISTED {
            let answer = preflight(&functions, path, origin).await.expect(204);
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            let methods = words(answer.header("access-control-allow-methods"));
            assert!(
                ["get", "post", "put", "delete"].iter().all(|m| methods.contains(&(*m).into()))
            );
            let headers = words(answer.header("access-control-allow-headers"));
            for needed in ["authorization", "content-type", "idempotency-key", "if-none-match"] {
                assert!(headers.contains(&needed.to_owned()), "{headers:?}");
            }
        }
        for origin in UNLISTED {
            let answer = preflight(&functions, path, origin).await;
            assert_eq!(answer.header_opt("access-control-allow-origin"), None, "{origin}");
        }
    }
    // Answers of every kind, also the ones that refuse.
    for (target, status) in [
        ("/users/alice/notifications", 200),
        ("/users/bob/notifications", 403),
        ("/nothing", 404),
        ("/notifications", 405),
        ("/x/", 400),
    ] {
        for origin in LISTED.into_iter().chain(UNLISTED).chain([""]) {
            let mut call = functions.get(target).token(&own);
            if !origin.is_empty() {
                call = call.header("origin", origin);
            }
            let answer = call.send().await.expect(status);
            assert!(words(answer.header("vary")).contains(&"origin".to_owned()));
            assert_eq!(answer.header_opt("access-control-allow-credentials"), None);
            let allowed = answer.header_opt("access-control-allow-origin");
            if LISTED.contains(&origin) {
                assert_eq!(allowed, Some(origin), "{target}");
                let exposed = words(answer.header("access-control-expose-headers"));
                for name in ["etag", "location", "retry-after", "x-request-id"] {
                    assert!(exposed.contains(&name.to_owned()), "{exposed:?}");
                }
            } else {
                assert_eq!(allowed, None, "{target} for {origin}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_list_no_page_may_call() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let origin = "https://app.example";
    let answer = preflight(&functions, "/notifications", origin).await;
    assert_eq!(answer.header_opt("access-control-allow-origin"), None);
    let answer = functions.get("/healthz").header("origin", origin).send().await.expect(200);
    assert_eq!(answer.header_opt("access-control-allow-origin"), None);
}
