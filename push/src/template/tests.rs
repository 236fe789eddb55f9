use proptest::prelude::*;
use serde_json::json;

use super::*;
use shared::limits::{BODY_BYTES_MAX, TITLE_CHARS_MAX};

fn parse(value: &Value) -> Result<Template, TemplateError> {
    Template::parse(value, "template")
}

fn fields(value: &Value) -> Fields {
    value.as_object().unwrap().clone()
}

fn message(template: &Value, locale: Option<&str>, values: &Value) -> Message {
    parse(template).unwrap().fill(locale, &fields(values)).unwrap()
}

#[test]
fn a_device_s_locale_selects_the_nearest_text() {
    let template = json!({"title": {
        "default": "Hello", "de": "Hallo", "pt-BR": "Oi", "zh_Hant": "你好",
    }, "body": "Same"});
    for (locale, title) in [
        (None, "Hello"),
        (Some("en-GB"), "Hello"),
        (Some("de"), "Hallo"),
        (Some("de-AT"), "Hallo"),
        (Some("DE_ch"), "Hallo"),
        (Some("pt-br"), "Oi"),
        (Some("pt"), "Hello"),
        (Some("zh-Hant-TW"), "你好"),
        (Some("zh"), "Hello"),
        (Some("default"), "Hello"),
        (Some(""), "Hello"),
        (Some("-"), "Hello"),
        (Some("d\u{e9}"), "Hello"),
    ] {
        let message = message(&template, locale, &json!({}));
        assert_eq!(message.title, title, "{locale:?}");
        assert_eq!(message.body.as_deref(), Some("Same"));
    }
}

#[test]
fn fields_fill_title_body_link_and_the_strings_of_data() {
    let template = json!({
        "title": "Hi {{name}}",
        "body": "{{ n }} of {{n}}, {{ok}}: {name} }} {",
        "link": "https://example.com/u/{{name}}?q={{name}}#{{n}}",
        "data": {"{{name}}": ["{{name}}", 1, null, {"deep": "{{n}}"}]},
    });
    let values = json!({"name": "Zoë/?&#{{n}}", "n": 7, "ok": true});
    let message = message(&template, None, &values);
    assert_eq!(message.title, "Hi Zoë/?&#{{n}}", "a field is not read as a template");
    assert_eq!(message.body.unwrap(), "7 of 7, true: {name} }} {");
    let encoded = "Zo%C3%AB%2F%3F%26%23%7B%7Bn%7D%7D";
    assert_eq!(message.link.unwrap(), format!("https://example.com/u/{encoded}?q={encoded}#7"));
    let data = json!({"{{name}}": ["Zoë/?&#{{n}}", 1, null, {"deep": "7"}]});
    assert_eq!(message.data.unwrap().get(), data.to_string());
    assert_eq!(parse(&template).unwrap().fields(), ["n", "name", "ok"]);
}

#[test]
fn a_missing_field_is_an_error_that_names_it() {
    let template = parse(&json!({"title": "a", "body": "{{name}}"})).unwrap();
    let error = |values: &Value| template.fill(None, &fields(values)).unwrap_err().to_string();
    assert_eq!(error(&json!({})), "body: the user has no field name");
    assert_eq!(error(&json!({"name": null})), "body: the user has no field name");
    let not_text = "body: the user's field name is not a text, a number or a boolean";
    assert_eq!(error(&json!({"name": []})), not_text);
}

#[test]
fn errors_name_the_member() {
    let long = "x".repeat(201);
    for (template, text) in [
        (json!("x"), "template: must be an object"),
        (json!({}), "template.title: is required"),
        (json!({"title": 1}), "template.title: must be a text or an object of texts by locale"),
        (json!({"title": {}}), "template.title.default: is required"),
        (json!({"title": {"de": "x"}}), "template.title.default: is required"),
        (json!({"title": {"default": 1}}), "template.title.default: must be a text"),
        (json!({"title": {"d e": "x"}}), "template.title.d e: is not a locale"),
        (
            json!({"title": {"default": "x", "pt-br": "x", "pt_BR": "y"}}),
            "template.title.pt_BR: is given twice",
        ),
        (json!({"title": ""}), "template.title: must not be empty"),
        (
            json!({"title": {"default": "x", "de": long}}),
            "template.title.de: has 201 characters, at most 200 are allowed",
        ),
        (json!({"title": "{{"}), "template.title: has {{ without }}"),
        (
            json!({"title": "{{a b}}"}),
            "template.title: has an invalid name in {{…}}: 1 to 64 of A-Z a-z 0-9 _ . -",
        ),
        (json!({"title": "a\0"}), "template.title: contains U+0000"),
        (json!({"title": "a", "text": "b"}), "template.text: is not a field of a template"),
        (
            json!({"title": "a", "body": "x".repeat(4097)}),
            "template.body: has 4097 bytes, at most 4096 are allowed",
        ),
        (json!({"title": "a", "data": ["{{"]}), "template.data: has {{ without }}"),
        (
            json!({"title": "a", "data": "x".repeat(2047)}),
            "template.data: has 2049 bytes, at most 2048 are allowed",
        ),
    ] {
        assert_eq!(parse(&template).unwrap_err().to_string(), text);
    }
    let mut deep = json!(1);
    for _ in 0..33 {
        deep = json!([deep]);
    }
    let error = parse(&json!({"title": "a", "data": deep})).unwrap_err();
    assert_eq!(error.to_string(), "template.data: is nested deeper than 32 levels");
}

#[test]
fn links_lead_to_where_the_sender_wrote() {
    let parse = |link: &str| parse(&json!({"title": "a", "link": link}));
    for link in [
        "https://example.com",
        "http://example.com/x",
        "/inbox",
        "/{{id}}",
        "https://example.com/{{id}}",
        "https://example.com?x={{id}}",
        "https://example.com#{{id}}",
        "https://example.com:8443/",
        "http://[::1]:3000/{{id}}",
        "/",
    ] {
        assert!(parse(link).is_ok(), "{link}");
    }
    for link in [
        "",
        "example.com",
        "//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "{{link}}",
        "https://{{host}}/",
        "https://example.com{{x}}",
        "https://{{a}}.example.com/",
        "https://a@b.c/",
        "https://",
        "https://:80/",
        "https://a:b/",
        "https://a:+1/",
        "https://a:123456/",
        "https://bücher.example/",
        "https://[::1/",
        "https://[::1]x/",
        "https://a<b/",
        "https://%61/",
        "/a b",
        "/\\evil.example",
        "/\n",
        "HTTPS://example.com/{{x}}",
        "https://example.com:{{port}}/",
    ] {
        let error = parse(link).unwrap_err();
        assert_eq!(error.field, "template.link", "{link}");
    }
    let template = parse("/{{id}}").unwrap();
    let filled = template.fill(None, &fields(&json!({"id": "/evil.example"}))).unwrap();
    assert_eq!(filled.link.unwrap(), "/%2Fevil.example");
    let long = json!({"id": "x".repeat(2048)});
    let error = template.fill(None, &fields(&long)).unwrap_err();
    assert_eq!(error, FillError::Long { field: "link".into() });
}

#[test]
fn long_fields_are_cut_at_the_limits() {
    let template = json!({"title": "{{x}}", "body": "{{x}}"});
    let message = message(&template, None, &json!({"x": "é".repeat(5000)}));
    assert_eq!(message.title.chars().count(), TITLE_CHARS_MAX);
    assert_eq!(message.body.unwrap().len(), BODY_BYTES_MAX);
}

#[test]
fn users_without_fields_share_one_message_per_locale() {
    let template = parse(&json!({"title": {"default": "Hello", "de": "Hallo"}})).unwrap();
    let mut cache = Cache::default();
    let mut get =
        |locale| cache.get(&template, locale, |m| Message { id: "c".into(), ..m }).unwrap();
    let first = get(Some("de"));
    assert!(std::sync::Arc::ptr_eq(&first, &get(Some("de"))));
    assert_eq!((first.title.as_str(), first.id.as_str()), ("Hallo", "c"));
    assert_eq!(get(None).title, "Hello");
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(text in "(\\{\\{|\\}\\}|[a-z ]|\\PC|\0){0,20}") {
        if let Ok(template) = parse(&json!({"title": text, "body": text})) {
            let values: Fields =
                template.fields().into_iter().map(|name| (name, json!("{{x}}"))).collect();
            template.fill(None, &values).unwrap();
        }
    }

    #[test]
    fn a_filled_link_keeps_its_host(id in "[^.\\p{C}]{0,30}", rest in "[a-z/?#=]{0,10}") {
        let link = format!("https://example.com/{{{{id}}}}{rest}");
        let message = message(&json!({"title": "a", "link": link}), None, &json!({"id": id}));
        let url = url::Url::parse(&message.link.unwrap()).unwrap();
        prop_assert_eq!(url.host_str(), Some("example.com"));
        prop_assert_eq!(url.path_segments().unwrap().count(), 1 + rest.split(['?', '#']).next()
            .unwrap().matches('/').count());
    }
}
