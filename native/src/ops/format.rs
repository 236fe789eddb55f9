//! The text formats of `/metrics`, which `prometheus-client` writes: OpenMetrics 1.0 for scrapers
//! that ask for that, otherwise Prometheus' text format 0.0.4, as for `curl`.

use std::fmt;

use http::header::{ACCEPT, HeaderMap};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

const OPEN_METRICS: &str = "application/openmetrics-text";
/// Initial capacity, about the size of a page, so that it is not reallocated a dozen times.
const PAGE_BYTES: usize = 16 * 1024;

/// The two text formats that scrapers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Prometheus,
}

impl Format {
    /// OpenMetrics if `Accept` names it, and does not prefer `text/plain`.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<&str> = accept.flat_map(|value| value.split(',')).collect();
        let open_metrics = quality(&ranges, OPEN_METRICS);
        if open_metrics > 0.0 && open_metrics >= quality(&ranges, "text/plain") {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }

    /// Renders a page of these families.
    ///
    /// # Errors
    /// None: a `String` accepts everything.
    pub fn render(self, all: &[&Registry]) -> Result<String, fmt::Error> {
        let mut page = String::with_capacity(PAGE_BYTES);
        for families in all {
            match self {
                Format::OpenMetrics => text::encode_registry(&mut page, families)?,
                Format::Prometheus => prometheus_text::encode(&mut page, families)?,
            }
        }
        if self == Format::OpenMetrics {
            text::encode_eof(&mut page)?;
        }
        Ok(page)
    }
}

/// The highest `q` of `media_type` among the ranges of `Accept`; 0 if it is not named.
fn quality(ranges: &[&str], media_type: &str) -> f32 {
    let of_range = |range: &&str| {
        let mut parts = range.split(';').map(str::trim);
        let is_meant = parts.next()?.eq_ignore_ascii_case(media_type);
        let q = parts.find_map(|part| part.strip_prefix("q="));
        is_meant.then(|| q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
    };
    ranges.iter().filter_map(of_range).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Format {
        let value = http::HeaderValue::from_static(accept);
        Format::accepted(&HeaderMap::from_iter([(ACCEPT, value)]))
    }

    #[test]
    fn a_scraper_gets_the_format_that_it_asks_for() {
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Prometheus);
        assert_eq!(accepted("*/*"), Format::Prometheus);
        assert_eq!(accepted("text/plain;version=0.0.4"), Format::Prometheus);
        // Prometheus 3, by default and with its formats in another order.
        let default = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                       application/openmetrics-text;version=0.0.1;q=0.5,\
                       text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                       text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(accepted(default), Format::OpenMetrics);
        let text_first = "text/plain;version=0.0.4;q=0.6, Application/OpenMetrics-Text; q=0.5";
        assert_eq!(accepted(text_first), Format::Prometheus);
        assert_eq!(accepted("application/openmetrics-text"), Format::OpenMetrics);
        assert_eq!(accepted("application/openmetrics-text;q=0, text/html"), Format::Prometheus);
        assert_eq!(accepted("application/openmetrics-text;q=high"), Format::Prometheus);
    }
}
