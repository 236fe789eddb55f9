//! Medians and percentiles, for measurements on a noisy machine.

/// The median; the mean of the two middle values for an even number; 0 without values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        odd if odd.len() % 2 == 1 => odd[half],
        even => f64::midpoint(even[half - 1], even[half]),
    }
}

/// The smallest value that `percent` of all values do not exceed (nearest rank); `sorted` ascends.
pub fn percentile(sorted: &[u32], percent: f64) -> u32 {
    // In thousandths of a percent: 99.9 / 100 is not exact, and 9,990 of 10,000 became 9,991.
    let thousandths = (percent * 1000.0).round() as usize;
    let rank = (thousandths * sorted.len()).div_ceil(100_000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_middle_values() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!((percentile(&values, 50.0), percentile(&values, 99.0)), (50, 99));
        let values: Vec<u32> = (1..=10_000).collect();
        assert_eq!(percentile(&values, 99.9), 9990);
        assert_eq!((percentile(&[7], 99.0), percentile(&[], 50.0)), (7, 0));
    }
}
