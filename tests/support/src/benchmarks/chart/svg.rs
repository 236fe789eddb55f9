//! The elements of a chart, and their colours.

use std::fmt::Write as _;

/// Width of every chart, in pixels.
pub(super) const WIDTH: f64 = 760.0;
/// Space at the sides.
pub(super) const MARGIN: f64 = 20.0;
/// Where the content begins, below title and subtitle.
pub(super) const TOP: f64 = 66.0;
/// Height of the letters.
pub(super) const FONT: f64 = 13.0;

/// The colours on a page.
#[derive(Debug)]
pub(super) struct Theme {
    page: &'static str,
    pub(super) text: &'static str,
    pub(super) faint: &'static str,
    pub(super) line: &'static str,
    /// Distinguishable by colour-blind readers, too (Okabe and Ito).
    pub(super) series: [&'static str; 6],
}

pub(super) static LIGHT: Theme = Theme {
    page: "#ffffff",
    text: "#1f2328",
    faint: "#59636e",
    line: "#d1d9e0",
    series: ["#0072b2", "#d55e00", "#008a63", "#b8578f", "#8a6d00", "#3d6f8e"],
};

pub(super) static DARK: Theme = Theme {
    page: "#0d1117",
    text: "#f0f6fc",
    faint: "#9198a1",
    line: "#3d444d",
    series: ["#4fa8e0", "#f08a3c", "#2fc493", "#dd8fbd", "#e0c040", "#9cc7de"],
};

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) struct Drawing {
    pub(super) theme: &'static Theme,
    body: String,
}

impl Drawing {
    pub(super) fn new(theme: &'static Theme) -> Self {
        Self { theme, body: String::new() }
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, color: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        let element = format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{color}\" text-anchor=\"{anchor}\">{text}</text>"
        );
        self.element(&element);
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let element = format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{color}\" stroke-width=\"{width}\"/>"
        );
        self.element(&element);
    }

    pub(super) fn bar(&mut self, (x, y): (f64, f64), width: f64, height: f64, color: &str) {
        let element = format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" \
             fill=\"{color}\"/>"
        );
        self.element(&element);
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), color: &str) {
        self.element(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{color}\"/>"));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], color: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let element = format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" \
             stroke-linejoin=\"round\"/>"
        );
        self.element(&element);
    }

    fn element(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The whole file.
    pub(super) fn finish(self, title: &str, subtitle: &str, height: f64) -> String {
        let Theme { page, text, faint, .. } = self.theme;
        let (title, subtitle) = (escaped(title), escaped(subtitle));
        let mut file = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" \
             font-size=\"{FONT}\">\n<title>{title}</title>\n<desc>{subtitle}</desc>\n"
        );
        let _ = writeln!(
            file,
            "<rect width=\"{WIDTH}\" height=\"{height:.0}\" rx=\"6\" fill=\"{page}\"/>\n\
             <text x=\"{MARGIN}\" y=\"30\" fill=\"{text}\" font-size=\"16\" \
             font-weight=\"600\">{title}</text>\n\
             <text x=\"{MARGIN}\" y=\"49\" fill=\"{faint}\" font-size=\"12\">{subtitle}</text>"
        );
        file.push_str(&self.body);
        file.push_str("</svg>\n");
        file
    }
}

/// A number with separators of thousands: `1,500`.
pub(super) fn thousands(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut shown = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown + rest
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_thousands() {
        for (value, decimals, text) in
            [(1500.0, 0, "1,500"), (12.34, 1, "12.3"), (999.6, 0, "1,000"), (1e6, 0, "1,000,000")]
        {
            assert_eq!(thousands(value, decimals), text);
        }
    }
}
