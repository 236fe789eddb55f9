use serde_json::json;

use crate::world::World;

fn rows(ids: std::ops::Range<usize>) -> String {
    let row = |id| {
        let title = format!("old {id}");
        json!({"id": id, "userId": "alice", "title": title, "createdAt": "2026-11-01T00:00:00Z"})
    };
    ids.map(|id| row(id).to_string() + "\n").collect()
}

#[tokio::test]
async fn a_history_is_imported_once_and_its_wrong_lines_are_named() {
    let world = World::start().await;
    let wrong = "{\"userId\":\"alice\",\"title\":\"no id\"}\n{\"id\":1,\"userId\":\"a b\",\"title\":\"x\"}\n";
    let file = world.write("history.jsonl", &(rows(0..510) + wrong + &rows(510..520)));
    let done = world.run(&["import", &file]).await.expect(1);
    assert_eq!(done.stdout, format!("520 of {file} are in the record\n"));
    let done = done.saying(&["history.jsonl:511: ", "history.jsonl:512: ", "2 rows not imported"]);
    assert!(done.stderr.contains("neither `id` nor `idempotencyKey`"), "{done:?}");
    assert!(done.stderr.contains("the user id contains"), "{done:?}");

    world.write("history.jsonl", &rows(0..530));
    let done = world.run(&["import", &file, "--json"]).await.expect(0).one();
    assert_eq!(done, json!({"imported": 530, "replaced": 0, "wrong": 0}));
    let feed = world.run(&["feed", "alice", "--json", "-n", "1"]).await.expect(0).one();
    let newest = &feed["notifications"][0];
    assert_eq!((&newest["title"], &newest["seq"]), (&json!("old 529"), &json!(530)));
    world.write("history.jsonl", &rows(0..1));
    let done = world.run(&["import", &file]).await.expect(0);
    assert_eq!(done.stdout, format!("1 of {file} is in the record\n"));
}

#[tokio::test]
async fn a_file_that_is_not_there_and_a_token_that_may_not_say_so() {
    let world = World::start().await;
    let done = world.run(&["import", "no-such-file"]).await.expect(2);
    let done = done.saying(&["cannot read no-such-file: there is no such file"]);
    assert!(!done.stderr.contains("imported"), "{done:?}");
    let file = world.write("history.jsonl", &rows(0..1));
    world.write("token", &support::token("a service", "notifications:write"));
    let done = world.run(&["import", &file]).await.expect(4);
    done.saying(&["notifications:import", "0 rows are imported for certain"]);
}
