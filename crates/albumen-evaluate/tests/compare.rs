//! Measures against real albums: beside the reference packages, and on sets whose answer is known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use albumen_evaluate::compare::classifier::Classifier;
use albumen_evaluate::compare::copying::{Corpus, Run};
use albumen_evaluate::compare::divergence::{Profile, jensen_shannon};
use albumen_evaluate::compare::frechet::frechet;
use albumen_evaluate::compare::intervals::{Bootstrap, Groups, weighted_mean, weighted_median};
use albumen_evaluate::compare::kmeans::KMeans;
use albumen_evaluate::compare::matrix::{beside, principal_components, single, unit_columns};
use albumen_evaluate::compare::mauve::{of_histograms, quantize};
use albumen_evaluate::compare::neighbours::{closest, manifolds};
use nalgebra::DMatrix;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/compare.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Rows of the file as columns.
fn points(value: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_fn(rows[0].len(), rows.len(), |i, j| rows[j][i])
}

#[track_caller]
fn near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() < within, "{found}, not {expected}");
}

#[test]
fn mauve_of_the_reference_clusters_is_the_references() {
    let golden = &golden()["mauve"];
    let (p, q) = (
        numbers(&golden["p_histogram"]),
        numbers(&golden["q_histogram"]),
    );
    near(
        of_histograms(&p, &q),
        golden["value"].as_f64().unwrap(),
        1e-6,
    );
    // Counts are as good as shares.
    let counts: Vec<f64> = p.iter().map(|v| v * 220.0).collect();
    near(of_histograms(&counts, &q), of_histograms(&p, &q), 1e-12);
    near(of_histograms(&p, &p), 1.0, 1e-3);
    assert!(of_histograms(&[1.0, 0.0], &[0.0, 1.0]) < 0.01);
}

/// The seeds of k-means differ from the reference's, so the values of ten seeds are compared: their
/// means lie within the spread of a mean of ten.
#[test]
fn mauve_from_features_lies_within_the_references_seeds() {
    let golden = golden();
    let (p, q) = (points(&golden["p"]), points(&golden["q"]));
    let reference = numbers(&golden["mauve"]["seeds"]);
    let found: Vec<f64> = (0..10)
        .map(|seed| {
            let clusters = quantize(&p, &q, seed);
            assert_eq!(clusters.clusters, 18);
            clusters.mauve(&vec![1.0; p.ncols()], &vec![1.0; q.ncols()])
        })
        .collect();
    let error = ((variance(&reference) + variance(&found)) / 10.0).sqrt();
    let gap = (mean(&reference) - mean(&found)).abs();
    assert!(gap < 3.0 * error, "{found:?} and {reference:?}");
    assert!(error < 0.02, "the spread is wide enough to hide anything");
}

#[test]
fn components_are_those_of_the_reference() {
    let golden = golden();
    let both = beside(&points(&golden["q"]), &points(&golden["p"]));
    let reduced = principal_components(&unit_columns(&both), 0.9);
    assert_eq!(
        reduced.nrows() as u64,
        golden["components"].as_u64().unwrap()
    );
    for (i, distance) in (1..).zip(numbers(&golden["projected_distances"])) {
        near(
            (reduced.column(0) - reduced.column(i)).norm(),
            distance,
            1e-9,
        );
    }
}

#[test]
fn neighbours_and_frechet_agree_with_the_reference_packages() {
    let golden = golden();
    let (p, q) = (points(&golden["p"]), points(&golden["q"]));
    let balls = manifolds(&p, &q, 5);
    for (name, values) in [
        ("precision", &balls.precise),
        ("recall", &balls.recalled),
        ("density", &balls.dense),
        ("coverage", &balls.covered),
    ] {
        let expected = golden["manifolds"][name].as_f64().unwrap();
        near(mean(values), expected, 1e-9);
    }
    near(
        frechet(&p, &q).distance,
        golden["frechet"].as_f64().unwrap(),
        1e-6,
    );
    let found = closest(&p, &q);
    for (pair, found) in golden["closest"].as_array().unwrap().iter().zip(found) {
        assert_eq!(pair[0].as_u64().unwrap(), found.0 as u64);
        near(found.1, pair[1].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn divergence_and_classifier_agree_with_the_reference_packages() {
    let golden = golden();
    let d = &golden["divergence"];
    near(
        jensen_shannon(&numbers(&d["p"]), &numbers(&d["q"])),
        d["value"].as_f64().unwrap(),
        1e-9,
    );
    let (p, q) = (points(&golden["p"]), points(&golden["q"]));
    let labels: Vec<usize> =
        serde_json::from_value(golden["classifier"]["labels"].clone()).unwrap();
    let classifier = Classifier::fit(&p, &labels).unwrap();
    let expected = points(&golden["classifier"]["probabilities"]);
    let found = classifier.probabilities(&q.columns(0, 20).into_owned());
    assert!((found - expected).amax() < 1e-4);
    let guesses = classifier.predict(&p);
    let right = guesses.iter().zip(&labels).filter(|(a, b)| a == b).count();
    near(
        right as f64 / labels.len() as f64,
        golden["classifier"]["accuracy"].as_f64().unwrap(),
        1e-9,
    );
}

#[test]
fn longest_runs_agree_with_trying_all() {
    let golden = &golden()["copying"];
    let records: Vec<String> = serde_json::from_value(golden["records"].clone()).unwrap();
    let texts: Vec<String> = serde_json::from_value(golden["texts"].clone()).unwrap();
    let corpus = Corpus::new(records.iter().map(String::as_str));
    for (text, longest) in texts.iter().zip(golden["longest"].as_array().unwrap()) {
        let run = corpus.longest_run(text);
        assert_eq!(run.length as u64, longest.as_u64().unwrap(), "{text}");
    }
    let run = corpus.longest_run("Yes: the SEA is calm");
    let expected = Run {
        start: 1,
        length: 4,
        record: 2,
    };
    assert_eq!(run, expected);
}

#[test]
fn one_set_is_like_itself_and_unlike_a_distant_one() {
    let x = cloud(300, 6, 0.0, 1);
    let (y, far) = (cloud(300, 6, 0.0, 2), cloud(300, 6, 9.0, 3));
    let ones = vec![1.0; 300];
    let mauve = |a, b| quantize(a, b, 1).mauve(&ones, &ones);
    assert!(mauve(&x, &y) > 0.85 && mauve(&x, &far) < 0.1);
    near(frechet(&x, &x).distance, 0.0, 1e-9);
    // Moved by 9 in each of 6 directions.
    near(frechet(&x, &far).distance, 6.0 * 81.0, 60.0);
    let (alike, apart) = (manifolds(&x, &y, 5), manifolds(&x, &far, 5));
    assert!(mean(&alike.precise) > 0.7 && mean(&alike.recalled) > 0.7);
    assert!(mean(&alike.covered) > 0.8 && mean(&alike.dense) > 0.7);
    for values in [
        &apart.precise,
        &apart.recalled,
        &apart.dense,
        &apart.covered,
    ] {
        assert_eq!(mean(values), 0.0);
    }
    assert!(
        closest(&x, &x)
            .iter()
            .enumerate()
            .all(|(i, &(j, d))| i == j && d == 0.0)
    );
}

#[test]
fn clusters_are_found_and_none_stays_empty() {
    let centres = cloud(5, 8, 0.0, 4) * 6.0;
    let noise = cloud(200, 8, 0.0, 5) * 0.2;
    let x = DMatrix::from_fn(8, 200, |i, j| centres[(i, j % 5)] + noise[(i, j)]);
    // From random points one try in about 26 starts in all five.
    let settings = KMeans {
        clusters: 5,
        restarts: 200,
        iterations: 100,
        seed: 1,
    };
    let found = settings.fit(&single(&x));
    for (i, label) in found.labels.iter().enumerate() {
        assert_eq!(*label, found.labels[i % 5]);
    }
    assert_eq!(found.assign(&single(&x)), found.labels);
    assert_eq!(settings.fit(&single(&x)), found);
    // Nine different points, many times, in eight clusters: all are used.
    let few = DMatrix::from_fn(2, 900, |i, j| {
        if i == 0 {
            (j % 3) as f32
        } else {
            (j % 9) as f32
        }
    });
    let fit = KMeans {
        clusters: 8,
        ..settings
    }
    .fit(&few);
    for cluster in 0..8 {
        assert!(fit.labels.contains(&cluster), "{cluster} is empty");
    }
}

/// To first order the reweighted distance is the distance of the reweighted texts.
#[test]
fn frechet_follows_the_weights_of_its_texts() {
    let (p, q) = (cloud(400, 4, 0.0, 6), cloud(300, 4, 0.5, 7) * 1.3);
    let found = frechet(&p, &q);
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut draw = |n: usize| -> Vec<usize> { (0..n).map(|_| random.random_range(0..n)).collect() };
    let weights = |drawn: &[usize]| {
        let mut weights = vec![0.0; drawn.len()];
        for &i in drawn {
            weights[i] += 1.0;
        }
        weights
    };
    let (mut errors, mut moves) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let (i, j) = (draw(400), draw(300));
        let whole = frechet(&p.select_columns(&i), &q.select_columns(&j)).distance;
        let linear = found.reweighted(&weights(&i), &weights(&j));
        errors.push(whole - linear);
        moves.push(whole - found.distance);
    }
    // But for the constant that resampling adds to any distance.
    let (error, moved) = (variance(&errors), variance(&moves));
    assert!(error < 0.02 * moved, "{error} of {moved}");
}

#[test]
fn intervals_cover_what_they_estimate_and_draw_groups_whole() {
    // Groups of three equal texts: only the number of groups tells how sure the mean is.
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let (mut covered, mut width) = (0, 0.0);
    for seed in 0..200 {
        let values: Vec<f64> = (0..40).map(|_| normal(&mut random)).collect();
        let texts: Vec<f64> = values.iter().flat_map(|&v| [v, v, v]).collect();
        let owners: Vec<usize> = (0..120).map(|i| i / 3).collect();
        let groups = Groups::new(&owners);
        let bootstrap = Bootstrap {
            p: &groups,
            q: &groups,
            resamples: 200,
            seed,
        };
        let range = (f64::NEG_INFINITY, f64::INFINITY);
        let estimate = bootstrap
            .estimate(range, |p, _| weighted_mean(&texts, p))
            .unwrap();
        covered += usize::from(estimate.low <= 0.0 && 0.0 <= estimate.high);
        width += (estimate.high - estimate.low) / 200.0;
    }
    assert!((176..=199).contains(&covered), "{covered} of 200");
    near(width, 2.0 * 1.96 / 40_f64.sqrt(), 0.08);
    near(
        weighted_median(&[3.0, 1.0, 2.0], &[1.0, 0.0, 1.0]),
        2.0,
        1e-12,
    );
}

/// Resampled sets look less alike than the sets are; the interval holds the estimate all the same.
#[test]
fn intervals_of_biased_measures_hold_the_estimate() {
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let mut draw =
        || -> Vec<[usize; 1]> { (0..200).map(|_| [random.random_range(0..60)]).collect() };
    let profile = Profile::new(draw(), draw());
    let groups = Groups::new(&(0..200).collect::<Vec<usize>>());
    let bootstrap = Bootstrap {
        p: &groups,
        q: &groups,
        resamples: 200,
        seed: 1,
    };
    let found = bootstrap
        .estimate((0.0, 1.0), |p, q| profile.divergence(p, q))
        .unwrap();
    assert!(
        found.low < found.value && found.value < found.high,
        "{found:?}"
    );
    // Percentiles of the resamples alone would lie above: these are moved by the bias.
    let middle = f64::midpoint(found.low, found.high);
    assert!((middle - found.value).abs() < 0.02, "{found:?}");
    assert!((0.05..0.2).contains(&(found.high - found.low)), "{found:?}");
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let squares = values.iter().map(|v| (v - mean(values)).powi(2));
    squares.sum::<f64>() / (values.len() - 1) as f64
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    // Box & Muller 1958.
    let (u, v): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Normal points (d, n) around `middle`.
fn cloud(n: usize, d: usize, middle: f64, seed: u64) -> DMatrix<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    DMatrix::from_fn(d, n, |_, _| middle + normal(&mut random))
}
