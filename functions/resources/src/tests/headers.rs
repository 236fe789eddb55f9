//! Header fields of requests to origins.

use super::one;
use crate::Resource;
use crate::headers::HeaderPiece;
use crate::sources::Source;

fn with_headers(headers: &str) -> Result<Resource, String> {
    one(&format!("path = \"a/{{x}}\"\nfresh = \"1s\"\nhttp.url = \"http://h/{{x}}\"\n{headers}"))
}

#[test]
fn headers_have_fixed_texts_and_variables() {
    let text = |text: &str| HeaderPiece::Text(text.to_owned());
    let variable = |name: &str| HeaderPiece::Variable(name.to_owned());
    let resource = with_headers(
        "http.headers = { Authorization = \"Bearer {{ api_token }}\", X-A = \"1\", b = \"{{a}}-{{b_2}};\" }",
    );
    let Source::Http(origin) = resource.unwrap().source else { panic!("an HTTP origin") };
    let mut headers: Vec<_> =
        origin.headers.into_iter().map(|header| (header.name, header.value)).collect();
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let expected = [
        ("authorization".to_owned(), vec![text("Bearer "), variable("api_token")]),
        ("b".to_owned(), vec![variable("a"), text("-"), variable("b_2"), text(";")]),
        ("x-a".to_owned(), vec![text("1")]),
    ];
    assert_eq!(headers, expected);
    let Source::Http(none) = with_headers("").unwrap().source else { panic!("an HTTP origin") };
    assert_eq!(none.headers, []);
}

#[test]
fn mistakes_in_headers_are_named_without_their_values() {
    for (field, problem) in [
        ("Host = \"s3cret\"", "cannot be set here"),
        ("If-None-Match = \"s3cret\"", "cannot be set here"),
        ("Proxy-Authorization = \"s3cret\"", "cannot be set here"),
        ("\"a b\" = \"s3cret\"", "is not a name of a header field"),
        ("\"\" = \"s3cret\"", "is not a name of a header field"),
        ("a = \"\"", "must not be empty"),
        ("a = \" s3cret\"", "begin or end with a space"),
        ("a = \"s3cret\\nb: 1\"", "printable ASCII"),
        ("a = \"s3cr\u{e9}t\"", "printable ASCII"),
        ("a = \"s3cret {x}\"", "parameters of the path cannot be in a header"),
        ("a = \"s3cret {{ X }}\"", "without a variable's name"),
        ("a = \"s3cret {{ x\"", "without a variable's name"),
        ("a = 7", "must be a text in quotes"),
        ("a = \"1\"\nA = \"2\"", "is there twice"),
    ] {
        let fields = field.replace('\n', "\nhttp.headers.");
        let error = with_headers(&format!("http.headers.{fields}")).unwrap_err();
        assert!(error.contains(problem) && error.contains("`http.headers."), "{field}: {error}");
        assert!(!error.contains("s3cr"), "{field}: {error}");
    }
    let many: String = (0..17).map(|at| format!("http.headers.x{at} = \"1\"\n")).collect();
    assert!(with_headers(&many).unwrap_err().contains("is one too many: 16 are allowed"));
}
