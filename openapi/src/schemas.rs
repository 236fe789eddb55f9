//! Schemas that several components share. Those of a single component are in `paths`, with its
//! operations.

use serde_json::{Map, Value, json};
use shared::Code;
use shared::limits::ID_BYTES_MAX;

use crate::schema::{
    about, any_of, anything, integer, named, object, or_null, pattern, text, words,
};
use crate::{hub_frames, paths};

/// A schema and its name.
pub type Named = (&'static str, Value);

pub fn all() -> Value {
    let all: Map<String, Value> = [common(), paths::schemas(), hub_frames::schemas()]
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    all.into()
}

fn common() -> Vec<Named> {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let codes = about(words(&codes), "Identifies the error; a code never changes its meaning.");
    let problem = object([
        ("type", text()),
        ("title", text()),
        ("status", integer(400, 599)),
        ("detail", about(text(), "An explanation of this error for people.")),
        ("code", named("ErrorCode")),
        ("field?", about(text(), "The invalid member, parameter or header.")),
    ]);
    let integer = json!({"type": "integer"});
    vec![
        ("ErrorCode", codes),
        ("Problem", about(problem, "An error, as RFC 9457 describes it.")),
        ("UserId", id("The id of a user.")),
        ("CampaignId", id("The id of a campaign.")),
        (
            "UserIdInput",
            about(
                any_of(&[named("UserId"), integer]),
                "The id of a user. An integer stands for its decimal text.",
            ),
        ),
        ("Json", any_json()),
        (
            "NextCursor",
            about(or_null(text()), "The cursor of the next page; null on the last page."),
        ),
    ]
}

/// An id of users, campaigns and so on: characters of the alphabet, but not `.` or `..`.
pub fn id(description: &str) -> Value {
    identifier("A-Za-z0-9_~@+|-", description)
}

/// The characters of names, except the dot.
pub const NAME_ALPHABET: &str = "A-Za-z0-9_~@+|:-";

/// A name, which may also contain `:`.
pub fn name(description: &str) -> Value {
    identifier(NAME_ALPHABET, description)
}

fn identifier(alphabet: &str, description: &str) -> Value {
    let mut id = pattern(&format!("^{}$", identifier_pattern(alphabet)));
    id["minLength"] = 1.into();
    id["maxLength"] = ID_BYTES_MAX.into();
    about(id, &format!("{description} Neither `.` nor `..`."))
}

/// Up to 128 characters of the alphabet or dots; not one or two dots alone. Without lookaheads, which
/// not every engine supports.
pub fn identifier_pattern(alphabet: &str) -> String {
    let more = |taken: usize| format!("[.{alphabet}]{{0,{}}}", ID_BYTES_MAX - taken);
    let (one, two, three) = (more(1), more(2), more(3));
    format!("([{alphabet}]{one}|[.][{alphabet}]{two}|[.]{{2}}[{alphabet}]{three}|[.]{{3}}{three})")
}

/// Any JSON. Requests with U+0000, which Postgres cannot store, are rejected. A schema can only say so
/// by referring to itself, which generators of types cannot take; the tests that make up requests
/// put that one in this one's place (`tests/support`).
fn any_json() -> Value {
    about(anything(), "A request must not contain the character U+0000.")
}
