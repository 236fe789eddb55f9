//! Where the console is, and for whom.

use crate::console::viewer::{console, get, ops, ops_until};
use crate::console::{hub, options};
use crate::support::{Hub, KEY, Options, now_s, request, sign, token};

const DATA: [&str; 3] = ["/console/live", "/console/fleet", "/console/users/alice"];

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_by_default_and_never_on_the_clients_address() {
    for hub in [Hub::start().await, hub().await] {
        for path in DATA.into_iter().chain(["/console", "/console/assets/console.js"]) {
            assert_eq!(hub.get(path).await.status, 404, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_needs_a_token_with_the_scope_in_the_header() {
    let hub = hub().await;
    for path in DATA {
        for (headers, status, code) in [
            (String::new(), 401, "unauthorized"),
            ("Authorization: Basic b3BzOg==\r\n".to_owned(), 401, "unauthorized"),
            ("Authorization: Bearer nonsense\r\n".to_owned(), 401, "unauthorized"),
            (bearer(&ops_until(now_s() - 3600.0)), 401, "token_expired"),
            (bearer(&token("alice")), 403, "forbidden"),
            (bearer(&scoped("ops:write ops:reader")), 403, "forbidden"),
        ] {
            let answer = get(&hub, path, &headers).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {headers}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
        // URLs are logged.
        let in_url = get(&hub, &format!("{path}?access_token={}", ops()), "").await;
        assert_eq!(in_url.status, 401, "{path}");
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn scoped(scope: &str) -> String {
    sign(KEY, &serde_json::json!({"sub": "ops", "exp": now_s() + 60.0, "scope": scope}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_a_key_says_so() {
    let hub = Hub::start_on(
        crate::support::RedisServer::start().await,
        Options { has_no_key: true, ..options() },
    )
    .await;
    for headers in [String::new(), bearer(&ops())] {
        let answer = get(&hub, "/console/fleet", &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "auth_not_configured"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_and_other_methods_get_nothing() {
    let hub = hub().await;
    let origin = "Origin: https://elsewhere.example\r\n";
    let preflight = format!(
        "OPTIONS /console/live HTTP/1.1\r\nHost: hub\r\n{origin}\
         Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
    );
    let answer = request(console(&hub), &preflight).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let fleet = get(&hub, "/console/fleet", &format!("{origin}{}", bearer(&ops()))).await;
    assert_eq!((fleet.status, fleet.header("access-control-allow-origin")), (200, None));
    assert_eq!(get(&hub, "/console/nothing", &bearer(&ops())).await.status, 404);
    assert_eq!(get(&hub, "/metrics", "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_public_and_may_talk_to_this_hub_and_the_functions_only() {
    let functions = Some("https://api.example/bellwire");
    let hub = Hub::start_with(Options { console_functions: functions, ..options() }).await;
    let page = get(&hub, "/console", "").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self' https://api.example",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.split("; ").any(|known| known == rule), "{rule}: {policy}");
    }
    let slash = get(&hub, "/console/", "").await;
    assert_eq!((slash.status, slash.header("location")), (308, Some("../console")));
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(!page.body.contains("<script>") && !page.body.contains("style="), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_share_its_address() {
    let hub = Hub::start_with(Options { has_metrics_beside_console: true, ..options() }).await;
    let metrics = get(&hub, "/metrics", "").await;
    assert!(metrics.status == 200 && metrics.body.contains("bellwire_hub_users 0\n"));
    assert_eq!(get(&hub, "/healthz", "").await.status, 200);
    assert_eq!(get(&hub, "/console", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_beside_it_where_they_are_wanted() {
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("site");
    std::fs::create_dir_all(dir.join("docs")).unwrap();
    std::fs::write(outside.path().join("secret.html"), "secret").unwrap();
    std::fs::write(dir.join("index.html"), "first").unwrap();
    std::fs::write(dir.join("docs/cache.html"), "cached reads").unwrap();
    let with = Hub::start_with(Options { console_site: Some(dir), ..options() }).await;
    for (path, body) in [("/site/", "first"), ("/site/docs/cache.html", "cached reads")] {
        let page = get(&with, path, "").await;
        assert_eq!((page.status, page.body.as_str()), (200, body), "{path}");
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{path}");
    }
    for path in
        ["/site/docs", "/site/none.html", "/site/../secret.html", "/site/%2e%2e/secret.html"]
    {
        let page = get(&with, path, "").await;
        assert!(page.status != 200 && !page.body.contains("secret"), "{path}: {}", page.status);
    }
    assert_eq!(get(&with, "/console", "").await.status, 200);
    assert_eq!(with.get("/site/").await.status, 404, "never on the clients' address");
    assert_eq!(get(&hub().await, "/site/", "").await.status, 404);
}
