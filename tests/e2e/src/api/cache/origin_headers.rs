//! Header fields that requests to origins carry, with secrets from variables, and the manifest that
//! declares those.

use std::path::Path;
use std::process::{Command, Output};

use support::{Functions, Origin, RedisServer, eventually, paths};

const RESOURCES: &str = r#"
[[resource]]
path = "secret/{id}"
access = "public"
fresh = "100s"

[resource.http]
"url" = """
http://{{ api_host }}/items/{id}"""

[resource.http.headers]
Authorization = "Bearer {{ api_token }}" # of the team
X-Tenant = "shop-{{ tenant }}"
Accept = "application/json; version=2"

[[resource]]
path = "plain"
access = "public"
fresh = "100s"
http = { url = "http://{{ settings_host }}/plain" }
"#;

struct World {
    redis: RedisServer,
    origin: Origin,
    dir: tempfile::TempDir,
}

/// What the script writes for these resources, in a file of this directory.
fn manifest(dir: &Path, resources: &str) -> Output {
    let file = dir.join("resources.toml");
    std::fs::write(&file, resources).unwrap();
    let mut command = Command::new(paths::workspace().join("scripts/manifest"));
    command.env("RESOURCES", &file).output().unwrap()
}

#[test]
fn a_mistake_in_the_resources_is_named_with_its_line_and_no_manifest_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let refused = manifest(dir.path(), &RESOURCES.replace("path = \"plain\"", "path = \"plain"));
    let problem = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{problem}");
    assert!(problem.contains("resources.toml: line 17: "), "{problem}");
}

impl World {
    async fn start() -> Self {
        let (redis, origin) = (RedisServer::start().await, Origin::start().await);
        let dir = tempfile::tempdir().unwrap();
        let written = manifest(dir.path(), RESOURCES);
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        std::fs::write(dir.path().join("spin.toml"), written.stdout).unwrap();
        Self { redis, origin, dir }
    }

    async fn serve(&self, token: &str) -> Functions {
        let setup = Functions::with(&self.redis).manifest(self.dir.path().join("spin.toml"));
        let setup = setup.variable("api_token", token).variable("tenant", "7");
        let setup = setup.variable("api_host", self.origin.address());
        setup.variable("settings_host", self.origin.address()).start().await
    }
}

#[tokio::test]
async fn an_origin_gets_the_declared_fields_and_no_other_does() {
    let world = World::start().await;
    let functions = world.serve("s3cret-token").await;
    functions.get("/cache/secret/1").send().await.expect(200);
    let request = world.origin.last();
    for line in [
        "authorization: bearer s3cret-token\r\n",
        "x-tenant: shop-7\r\n",
        "accept: application/json; version=2\r\n",
    ] {
        assert_eq!(request.matches(line).count(), 1, "{line}: {request}");
    }
    assert_eq!(request.matches("\naccept:").count(), 1, "{request}");
    functions.get("/cache/plain").send().await.expect(200);
    let request = world.origin.last();
    assert!(!request.contains("authorization") && !request.contains("tenant"), "{request}");
    assert!(request.contains("accept: application/json\r\n"), "{request}");
    assert!(!functions.output().contains("s3cret"), "{}", functions.output());
}

#[tokio::test]
async fn a_secret_that_cannot_be_sent_is_named_and_not_shown() {
    let world = World::start().await;
    // A failure is remembered for a while, for all hosts: each asks for another value.
    for (id, bad) in [(2, ""), (3, "s3cret\r\nx-other: 1"), (4, "s3cret\u{e9}")] {
        let functions = world.serve(bad).await;
        let answer = functions.get(&format!("/cache/secret/{id}")).send().await;
        let answer = answer.expect_problem(502, "origin_failed");
        let is_named = || functions.output().contains("the variable api_token");
        eventually("the log names the variable", async || is_named().then_some(())).await;
        let log = functions.output();
        assert!(!log.contains("s3cret") && !answer.text().contains("s3cret"), "{bad:?}");
        assert_eq!(world.origin.count_of(&format!("/items/{id}")), 0);
        functions.get("/cache/plain").send().await.expect(200);
    }
    // A file's newline is not part of it.
    let functions = world.serve("other-token\n").await;
    functions.get("/cache/secret/5").send().await.expect(200);
    assert!(world.origin.last().contains("authorization: bearer other-token\r\n"));
}
