use std::io::{self, Write};

use shared::{Code, Error};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Collects the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Returns the lines that `work` logs.
fn lines(work: impl FnOnce(&RefusalLog)) -> Vec<serde_json::Value> {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone()).finish();
    tracing::subscriber::with_default(subscriber, || work(&RefusalLog::new(Arc::default())));
    let text = String::from_utf8(log.0.lock().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refuse(refusals: &RefusalLog, reason: Reason, origin: Option<&str>) {
    let refused = reason.because(Error::new(Code::Forbidden, "the hub's words"));
    let origin = origin.map(|origin| HeaderValue::from_bytes(origin.as_bytes()).unwrap());
    refusals.refused(&refused, origin.as_ref(), &RequestId::random());
}

#[test]
fn each_reason_and_origin_is_logged_once_a_minute_and_the_rest_is_summed_up() {
    let lines = lines(|refusals| {
        for _ in 0..3 {
            refuse(refusals, Reason::Origin, Some("https://a.example"));
            refuse(refusals, Reason::Origin, Some("https://b.example"));
            refuse(refusals, Reason::NoToken, None);
        }
        refusals.sum_up();
        refusals.sum_up();
        refuse(refusals, Reason::NoToken, None);
    });
    let told = |line: &serde_json::Value| {
        (line["reason"].as_str().map(str::to_owned), line["origin"].as_str().map(str::to_owned))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(told(&lines[0]), (text("origin"), text("https://a.example")));
    assert_eq!(told(&lines[1]), (text("origin"), text("https://b.example")));
    assert_eq!(told(&lines[2]), (text("no_token"), None));
    assert_eq!(lines[3]["count"], 6);
    assert_eq!(lines[3]["reasons"], "no_token 2, origin 4");
    assert_eq!(told(&lines[4]), (text("no_token"), None));
    assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&"INFO".into(), &"refused".into()));
    assert_eq!(lines[0]["detail"].as_str(), Some("the hub's words"));
}

#[test]
fn a_flood_is_a_bounded_number_of_short_lines() {
    let long = "x".repeat(5_000);
    let lines = lines(|refusals| {
        for number in 0..10_000 {
            refuse(refusals, Reason::Origin, Some(&format!("https://{number}.example/{long}")));
        }
        refusals.sum_up();
    });
    assert_eq!(lines.len(), REFUSAL_LINES_MAX + 1);
    assert_eq!(lines[REFUSAL_LINES_MAX]["count"], 10_000 - REFUSAL_LINES_MAX);
    let longest = lines.iter().map(|line| line.to_string().len()).max().unwrap();
    assert!(longest < 500, "{longest}");
}

#[test]
fn an_origin_is_cut_and_escaped() {
    assert_eq!(shown(b"https://a.example"), "https://a.example");
    assert_eq!(shown("\u{1b}[31m\u{e4}".as_bytes()), r"\x1b[31m\xc3\xa4");
    let long = shown("x".repeat(REFUSAL_ORIGIN_BYTES_MAX + 1).as_bytes());
    assert_eq!(long.len(), REFUSAL_ORIGIN_BYTES_MAX + 3);
}
