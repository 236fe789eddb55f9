//! Who may read what, also on a hit; methods and paths.

use support::token;

use super::{World, nth};

#[tokio::test]
async fn another_users_value_is_refused_also_when_it_is_cached() {
    let world = World::start().await;
    let read = async |path: &str, token: &str| {
        world.functions.get(&format!("/cache/{path}")).token(token).send().await
    };
    let (alice, bob) = (token("alice", ""), token("bob", "feed:read"));
    read("mine/alice", &bob).await.expect_problem(403, "forbidden");
    assert_eq!(world.origin.count(), 0, "refused before anything is fetched");
    read("mine/alice", &alice).await.expect(200);
    let hit = read("mine/alice", &alice).await.expect(200);
    assert!(hit.header("cache-status").starts_with("bellwire; hit"), "{hit:?}");
    read("mine/alice", &bob).await.expect_problem(403, "forbidden");
    let etag = hit.header("etag").to_owned();
    let call = world.functions.get("/cache/mine/alice").header("if-none-match", &etag);
    call.token(&bob).send().await.expect_problem(403, "forbidden");
    world.get("mine/alice").await.expect_problem(401, "unauthorized");
    read("mine/alice", &token("svc", "cache:read")).await.expect(200);

    read("internal", &alice).await.expect_problem(403, "forbidden");
    world.get("internal").await.expect_problem(401, "unauthorized");
    read("internal", &token("svc", "cache:read")).await.expect(200);
    let call = world.functions.call("HEAD", "/cache/internal").token(&alice);
    assert_eq!(call.send().await.status, 403);
    assert_eq!(world.get("fresh").await.expect(200).text(), nth(3));
}

#[tokio::test]
async fn the_checks_come_in_the_contracts_order() {
    let world = World::start().await;
    let call = async |method: &str, target: &str| world.functions.call(method, target).send().await;
    call("GET", "/cache/nothing").await.expect_problem(404, "not_found");
    call("GET", "/cache/fresh/").await.expect_problem(400, "invalid_path");
    call("GET", "/cache//fresh").await.expect_problem(400, "invalid_path");
    call("GET", "/cache/item/a%2Fb").await.expect_problem(400, "invalid_id");
    call("GET", "/cache/item/a:b").await.expect_problem(400, "invalid_id");
    call("GET", "/cache/item/a/b").await.expect_problem(404, "not_found");
    call("GET", "/cache/fresh?x=1").await.expect_problem(400, "unknown_field");
    let put = call("PUT", "/cache/fresh").await.expect_problem(405, "method_not_allowed");
    assert_eq!(put.header("allow"), "GET, HEAD, DELETE");
    let get = call("GET", "/cache/invalidate").await.expect_problem(405, "method_not_allowed");
    assert_eq!(get.header("allow"), "POST");
    call("DELETE", "/cache/fresh").await.expect_problem(401, "unauthorized");
    call("POST", "/cache/invalidate").await.expect_problem(401, "unauthorized");
    let token = token("svc", "cache:read");
    let delete = world.functions.call("DELETE", "/cache/fresh").token(&token).send().await;
    delete.expect_problem(403, "forbidden");
    assert_eq!(world.origin.count(), 0);
}
