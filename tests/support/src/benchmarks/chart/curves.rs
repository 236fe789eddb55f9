//! Latencies as curves from the median to the slowest request.

use super::svg::{Anchor, Drawing, FONT, MARGIN, TOP, WIDTH, thousands};

/// The shares of a curve, in percent, and their names on the chart.
pub const PERCENTS: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];
const NAMES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "worst"];

/// One measurement.
#[derive(Clone, Debug)]
pub struct Curve {
    pub label: String,
    /// Milliseconds at p50, p90, p99, p99.9, and of the slowest.
    pub ms: [f64; 5],
}

impl Curve {
    /// Of latencies in microseconds, ascending.
    pub fn new(label: impl Into<String>, latencies_us: &[u32]) -> Self {
        let ms = PERCENTS
            .map(|percent| f64::from(crate::stats::percentile(latencies_us, percent)) / 1000.0);
        Self { label: label.into(), ms }
    }
}

const HEIGHT: f64 = 250.0;
/// Space for the numbers of the scale, and for the values at the ends of the curves.
const SCALE: f64 = 55.0;
const ENDS: f64 = 80.0;
const LEGEND_ROW: f64 = 20.0;
const LEGENDS_PER_ROW: usize = 3;
/// The scale has a line at each of these in every decade.
const IN_DECADE: [f64; 3] = [1.0, 2.0, 5.0];

/// Draws the curves on a logarithmic scale; returns the height of the chart.
pub(super) fn draw(drawing: &mut Drawing, curves: &[Curve]) -> f64 {
    let theme = drawing.theme;
    let rows = curves.len().div_ceil(LEGENDS_PER_ROW) as f64;
    let top = TOP + rows * LEGEND_ROW;
    let bottom = top + HEIGHT;
    let all = || curves.iter().flat_map(|curve| curve.ms).filter(|ms| *ms > 0.0);
    let least = all().fold(f64::INFINITY, f64::min).clamp(0.01, 1e6);
    let most = all().fold(0.0, f64::max).clamp(least * 2.0, 1e7);
    let (low, high) = (below(least), above(most));
    let y = |ms: f64| {
        bottom - HEIGHT * (ms.max(low).log10() - low.log10()) / (high.log10() - low.log10())
    };
    let (left, right) = (MARGIN + SCALE, WIDTH - MARGIN - ENDS);
    let x = |at: usize| left + 12.0 + (right - left - 12.0) * at as f64 / 4.0;

    for ms in lines(low, high) {
        drawing.line((left, y(ms)), (right, y(ms)), theme.line, 1.0);
        let text = shown(ms);
        drawing.text((left - 8.0, y(ms) + FONT * 0.35), Anchor::End, theme.faint, &text);
    }
    for (at, name) in NAMES.iter().enumerate() {
        drawing.text((x(at), bottom + 20.0), Anchor::Middle, theme.faint, name);
    }
    let mut ends: Vec<(f64, usize)> = Vec::new();
    for (at, curve) in curves.iter().enumerate() {
        let color = theme.series[at % theme.series.len()];
        let points: Vec<(f64, f64)> =
            curve.ms.iter().enumerate().map(|(at, ms)| (x(at), y(*ms))).collect();
        drawing.path(&points, color);
        for point in &points {
            drawing.dot(*point, color);
        }
        let column = (WIDTH - 2.0 * MARGIN) / LEGENDS_PER_ROW as f64;
        let legend = (
            MARGIN + column * (at % LEGENDS_PER_ROW) as f64,
            TOP + 8.0 + LEGEND_ROW * (at / LEGENDS_PER_ROW) as f64,
        );
        drawing.dot((legend.0 + 4.0, legend.1 - 4.5), color);
        drawing.text((legend.0 + 14.0, legend.1), Anchor::Start, theme.text, &curve.label);
        ends.push((y(curve.ms[4]), at));
    }
    draw_ends(drawing, curves, ends, x(4) + 10.0);
    bottom + 34.0
}

/// The slowest of each curve as text, moved apart where they would overlap.
fn draw_ends(drawing: &mut Drawing, curves: &[Curve], mut ends: Vec<(f64, usize)>, x: f64) {
    let theme = drawing.theme;
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut free = f64::NEG_INFINITY;
    for (y, at) in ends {
        let y = y.max(free);
        free = y + FONT + 1.0;
        let color = theme.series[at % theme.series.len()];
        let text = shown(curves[at].ms[4]);
        drawing.text((x, y + FONT * 0.35), Anchor::Start, color, &text);
    }
}

fn shown(ms: f64) -> String {
    let decimals = if ms >= 10.0 {
        0
    } else if ms >= 1.0 {
        1
    } else {
        2
    };
    let text = thousands(ms, decimals);
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} ms")
}

/// The line of the scale at or below a value.
fn below(ms: f64) -> f64 {
    let decade = 10_f64.powf(ms.log10().floor());
    let fits = |step: &&f64| decade * **step <= ms * 1.000_001;
    decade * IN_DECADE.iter().rev().find(fits).copied().unwrap_or(1.0)
}

/// The line of the scale at or above a value.
fn above(ms: f64) -> f64 {
    let decade = 10_f64.powf(ms.log10().floor());
    let fits = |step: &&f64| decade * **step >= ms * 0.999_999;
    decade * IN_DECADE.iter().find(fits).copied().unwrap_or(10.0)
}

fn lines(low: f64, high: f64) -> Vec<f64> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let all = (first..=last).flat_map(|at| IN_DECADE.map(|step| step * 10_f64.powi(at)));
    all.filter(|ms| (low * 0.999..=high * 1.001).contains(ms)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_encloses_all_values() {
        for (ms, low, high) in [(13.7, 10.0, 20.0), (1450.0, 1000.0, 2000.0), (50.0, 50.0, 50.0)] {
            assert!((below(ms) - low).abs() < 1e-6 && (above(ms) - high).abs() < 1e-6, "{ms}");
        }
        let lines: Vec<i64> = lines(10.0, 200.0).into_iter().map(|ms| ms.round() as i64).collect();
        assert_eq!(lines, [10, 20, 50, 100, 200]);
    }

    #[test]
    fn a_curve_has_the_shares_of_its_latencies() {
        let latencies: Vec<u32> = (1..=10_000).collect();
        assert_eq!(Curve::new("", &latencies).ms, [5.0, 9.0, 9.9, 9.99, 10.0]);
    }
}
