#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn one_shot(epsilon: f64, max_per_unit: u32) -> OneShot {
    OneShot {
        unit: Unit::Owner,
        declared_units: 100,
        epsilon,
        max_per_unit,
    }
}

fn charged(event: &Event) -> f64 {
    match event {
        Event::PureDp { epsilon } => *epsilon,
        other => panic!("{other:?}"),
    }
}

#[test]
fn counts_are_bounded_noisy_and_charged() {
    let items = Sensitive::new(vec![1, 2, 1000]);
    let settings = one_shot(1.0, 3);
    let mut sum = 0.0;
    let mut squares = 0.0;
    let n = 4000;
    for _ in 0..n {
        let (found, event) = settings.noisy_count("items", &items).unwrap();
        assert!((charged(&event) - 1.0).abs() < 1e-9);
        let x = found.counts[0] as f64;
        sum += x;
        squares += x * x;
    }
    let mean = sum / f64::from(n);
    let variance = squares / f64::from(n) - mean * mean;
    // 1 + 2 + 3, and the discrete Laplace's variance 1 / (cosh(1/3) - 1).
    let expected = 1.0 / ((1.0_f64 / 3.0).cosh() - 1.0);
    assert!(
        (mean - 6.0).abs() < 5.0 * (expected / f64::from(n)).sqrt(),
        "{mean}"
    );
    assert!(
        (variance / expected - 1.0).abs() < 0.15,
        "{variance} {expected}"
    );
}

#[test]
fn histograms_leave_out_what_is_beyond_bound_and_categories() {
    let items = Sensitive::new(vec![vec![0, 1, 1], vec![7], vec![1]]);
    let settings = one_shot(40.0, 2);
    let names = ["a", "b", "c"].map(str::to_owned);
    let (found, event) = settings.noisy_histogram(&names, &items).unwrap();
    assert!((charged(&event) - 40.0).abs() < 1e-6);
    assert_eq!(settings.counts_event(3).unwrap(), event);
    assert_eq!(found.counts, [1, 2, 0]);
    assert_eq!((&found.categories[..], found.max_per_unit), (&names[..], 2));
}

/// The noise is calibrated to `max_per_unit`; were the counts bounded more loosely than that, or
/// the bound stated larger than it is, one of the two halves would fail.
#[test]
fn one_unit_moves_a_histogram_by_the_stated_bound_and_no_more() {
    let mut state = 1_u64;
    let mut draw = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    for bound in 1..=4_u32 {
        let settings = one_shot(1.0, bound);
        let mut largest = 0;
        for _ in 0..300 {
            // Category 5 of 5 is none: such an item counts in no bin.
            let mut units: Vec<Vec<usize>> = (0..=draw(6))
                .map(|_| (0..draw(8)).map(|_| draw(6) as usize).collect())
                .collect();
            let with = settings.bounded_counts(5, &units);
            units.remove(draw(units.len() as u64) as usize);
            let without = settings.bounded_counts(5, &units);
            let pairs = with.iter().zip(&without);
            let moved: u64 = pairs.map(|(a, b)| a.abs_diff(*b)).sum();
            assert!(moved <= u64::from(bound), "{with:?} {without:?}");
            largest = largest.max(moved);
        }
        assert_eq!(largest, u64::from(bound));
    }
}

/// Discrete Laplace noise of scale bound / epsilon on every bin; the neighbouring bounds' noise is
/// told apart.
#[test]
fn a_histograms_noise_is_that_of_its_bound() {
    let names: Vec<String> = (0..500).map(|i| format!("topic {i}")).collect();
    let nobody = Sensitive::new(Vec::new());
    let variance_at = |bound: f64| {
        let p = (-1.0 / bound).exp();
        2.0 * p / (1.0 - p).powi(2)
    };
    for bound in 1..=3_u32 {
        let settings = one_shot(1.0, bound);
        let mut squares = 0.0;
        for _ in 0..40 {
            let (found, _) = settings.noisy_histogram(&names, &nobody).unwrap();
            squares += (found.counts.iter()).map(|&n| (n * n) as f64).sum::<f64>();
        }
        // 20,000 draws: the standard error of the variance is sqrt(5 / 20000) = 1.6% of it.
        let variance = squares / 20_000.0;
        let ratio = |bound: u32| variance / variance_at(f64::from(bound));
        assert!((ratio(bound) - 1.0).abs() < 0.08, "{bound} {variance}");
        assert!(ratio(bound + 1) < 0.7);
        assert!(bound == 1 || ratio(bound - 1) > 1.4);
    }
}

#[test]
fn quantiles_are_candidates_near_the_quantile() {
    let values = Sensitive::new((0..500).map(|i| vec![f64::from(i), f64::NAN]).collect());
    let candidates: Vec<f64> = (0..50).map(|i| f64::from(i) * 10.0).collect();
    let (found, event) = one_shot(20.0, 2)
        .noisy_quantile(0.9, &candidates, &values)
        .unwrap();
    assert!((charged(&event) - 20.0).abs() < 1e-6);
    assert!((found - 450.0).abs() <= 20.0, "{found}");
}

#[test]
fn errors_of_opendp_keep_their_message() {
    let values = Sensitive::new(vec![vec![1.0]]);
    match one_shot(1.0, 1).quantile(0.5, &[2.0, 2.0], &values) {
        Err(OneShotError::OpenDp(message)) => {
            assert!(message.contains("strictly increasing"), "{message}");
        }
        _ => panic!("equal candidates were taken"),
    }
    assert!(
        one_shot(0.0, 1)
            .count("items", &Sensitive::new(vec![1]))
            .is_err()
    );
}
