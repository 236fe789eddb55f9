//! Charts of benchmarks as SVG, each in two files, for light and for dark pages. The same values
//! always give the same bytes.

mod bars;
mod curves;
mod svg;

use std::io;
use std::path::{Path, PathBuf};

pub use bars::Bar;
pub use curves::Curve;
use svg::{DARK, Drawing, LIGHT, Theme};

use crate::paths;

/// A chart with the name of its files.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name of the file, without its ending.
    pub name: &'static str,
    pub title: String,
    /// One line below the title: what the values mean, and how they were measured.
    pub subtitle: String,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// Ratios to a peer, which is 1.
    Ratios(Vec<Bar>),
    /// Times that a share of all requests did not exceed.
    Latencies(Vec<Curve>),
}

impl Chart {
    /// The chart for a page of either kind.
    fn to_svg(&self, theme: &'static Theme) -> String {
        let mut drawing = Drawing::new(theme);
        let height = match &self.content {
            Content::Ratios(bars) => bars::draw(&mut drawing, bars),
            Content::Latencies(curves) => curves::draw(&mut drawing, curves),
        };
        drawing.finish(&self.title, &self.subtitle, height)
    }

    /// Writes `<name>.svg` and `<name>-dark.svg`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join(format!("{}.svg", self.name)), self.to_svg(&LIGHT))?;
        std::fs::write(dir.join(format!("{}-dark.svg", self.name)), self.to_svg(&DARK))
    }
}

/// The directory of the documents' charts; for a short run another, below the build output.
pub fn directory(is_short: bool) -> PathBuf {
    paths::workspace().join(if is_short { "target/charts" } else { "docs/charts" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(content: Content) -> Chart {
        let (title, subtitle) = ("Creates & reads".to_owned(), "medians of 5 rounds".to_owned());
        Chart { name: "test", title, subtitle, content }
    }

    fn bar(label: &str, middle: f64) -> Bar {
        Bar { label: label.to_owned(), low: middle - 0.1, middle, high: middle + 0.2, goal: None }
    }

    #[test]
    fn shows_every_ratio_and_goal_as_text() {
        let goal = Bar { goal: Some(5.0), ..bar("feed <20>", 8.25) };
        let svg = chart(Content::Ratios(vec![bar("create", 3.8), goal])).to_svg(&LIGHT);
        for text in ["Creates &amp; reads", "feed &lt;20&gt;", "3.80 ×", "8.25 ×", "goal 5 ×"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn shows_the_ends_of_every_curve_as_text() {
        let curve = |label: &str, worst| Curve {
            label: label.to_owned(),
            ms: [10.0, 12.0, 30.0, 80.0, worst],
        };
        let curves = vec![curve("SQLite", 133.0), curve("Postgres", 1500.0)];
        let svg = chart(Content::Latencies(curves)).to_svg(&DARK);
        for text in ["SQLite", "Postgres", "133 ms", "1,500 ms", "p99.9", "worst"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn differs_between_pages_only_in_its_colours() {
        let chart = chart(Content::Ratios(vec![bar("create", 3.8)]));
        let shape = |svg: String| {
            svg.split('#').map(|part| part[6.min(part.len())..].to_owned()).collect::<Vec<_>>()
        };
        assert_ne!(chart.to_svg(&LIGHT), chart.to_svg(&DARK));
        assert_eq!(shape(chart.to_svg(&LIGHT)).concat(), shape(chart.to_svg(&DARK)).concat());
    }

    #[test]
    fn draws_nothing_without_values() {
        for content in [Content::Ratios(Vec::new()), Content::Latencies(Vec::new())] {
            let svg = chart(content).to_svg(&LIGHT);
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }
}
