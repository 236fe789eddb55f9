//! Ratios as bars, with their spread and their goal.

use super::svg::{Anchor, Drawing, FONT, MARGIN, TOP, WIDTH};

/// One ratio.
#[derive(Clone, Debug)]
pub struct Bar {
    pub label: String,
    /// The least of all rounds.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// The most of all rounds.
    pub high: f64,
    pub goal: Option<f64>,
}

const ROW: f64 = 40.0;
const BAR: f64 = 18.0;
/// Space for the labels, left of the bars, and for the values, right of them.
const LABELS: f64 = 225.0;
const VALUES: f64 = 120.0;
/// Heights of the strokes that mark the ends of the spread, and the goal.
const END: f64 = 8.0;
const GOAL: f64 = 26.0;
/// Numbers on the scale.
const STEPS_MAX: f64 = 6.0;

/// Draws the bars; returns the height of the chart.
pub(super) fn draw(drawing: &mut Drawing, bars: &[Bar]) -> f64 {
    let theme = drawing.theme;
    let most = bars.iter().map(|bar| bar.high.max(bar.goal.unwrap_or(0.0))).fold(1.0, f64::max);
    let (left, right) = (MARGIN + LABELS, WIDTH - MARGIN - VALUES);
    let x = |ratio: f64| left + (right - left) * ratio / most;
    let bottom = TOP + bars.len() as f64 * ROW;

    let step = step(most);
    let steps = (most / step + 1e-9).floor() as usize;
    for ratio in (0..=steps).map(|at| at as f64 * step) {
        drawing.line((x(ratio), TOP), (x(ratio), bottom), theme.line, 1.0);
        let text = format!("{} ×", plain(ratio));
        drawing.text((x(ratio), bottom + 18.0), Anchor::Middle, theme.faint, &text);
    }
    for (at, bar) in bars.iter().enumerate() {
        let middle = TOP + (at as f64 + 0.5) * ROW;
        let baseline = middle + FONT * 0.35;
        drawing.text((left - 10.0, baseline), Anchor::End, theme.text, &bar.label);
        let color = theme.series[0];
        drawing.bar((left, middle - BAR / 2.0), x(bar.middle) - left, BAR, color);
        drawing.line((x(bar.low), middle), (x(bar.high), middle), theme.text, 1.5);
        for end in [bar.low, bar.high] {
            let half = END / 2.0;
            drawing.line((x(end), middle - half), (x(end), middle + half), theme.text, 1.5);
        }
        if let Some(goal) = bar.goal {
            let half = GOAL / 2.0;
            let color = theme.series[1];
            drawing.line((x(goal), middle - half), (x(goal), middle + half), color, 2.5);
            let text = format!("goal {} ×", plain(goal));
            drawing.text((WIDTH - MARGIN, baseline + 8.0), Anchor::End, color, &text);
        }
        let value = format!("{:.2} ×", bar.middle);
        let lift = if bar.goal.is_some() { 7.0 } else { 0.0 };
        drawing.text((WIDTH - MARGIN, baseline - lift), Anchor::End, theme.text, &value);
    }
    // The peer, with its number unless it has one, or would cover others.
    drawing.line((x(1.0), TOP - 4.0), (x(1.0), bottom), theme.text, 1.5);
    let is_apart = |at: usize| (x(at as f64 * step) - x(1.0)).abs() > 26.0;
    if (0..=steps).all(is_apart) {
        drawing.text((x(1.0), bottom + 18.0), Anchor::Middle, theme.text, "1 ×");
    }
    bottom + 32.0
}

/// A round distance of the numbers on the scale.
fn step(most: f64) -> f64 {
    let steps = [0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    steps.into_iter().find(|step| most / step <= STEPS_MAX).unwrap_or(1_000.0)
}

/// A number without zeros at its end.
fn plain(ratio: f64) -> String {
    format!("{ratio:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
