//! Writes an internal report of invented albums and the page of a sweep: what to look at when these change.
//!
//! `cargo run --release -p albumen-evaluate --example sample_internal -- OUT.html [ALBUMS]`; the sweep's page is
//! OUT.sweep.html.

#![allow(clippy::print_stdout, reason = "an example speaks to its user")]

use albumen_assets::Home;
use albumen_evaluate::compare::{
    Evaluation, EvaluationSettings, Role, TextAlbum, evaluate, halves,
};
use albumen_evaluate::internal::{
    ChoiceCost, InternalReport, Sweep, SweepPoint, render_internal_report, render_sweep,
};
use albumen_vision::Embedder;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PLACES: [&str; 10] = [
    "at the beach",
    "in the mountains",
    "on a farm",
    "in the old town",
    "at the zoo",
    "by the lake",
    "in the forest",
    "in the kitchen",
    "at the harbour",
    "in the snow",
];
const WHO: [&str; 8] = [
    "A family",
    "Two friends",
    "An old man",
    "A couple",
    "A boy",
    "Three children",
    "A hiker",
    "A dog",
];
const DOES: [&str; 10] = [
    "plays with a red ball",
    "eats ice cream",
    "looks at a boat",
    "sits under a tree",
    "feeds a cat",
    "walks past a church",
    "rides a bicycle",
    "holds flowers",
    "waits for a train",
    "bakes a cake",
];

/// Albums that keep to one place, but for a share `strays` of captions; the first `places` only.
fn albums(count: usize, places: usize, strays: f64, seed: u64) -> Vec<TextAlbum> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut pick = |from: &[&'static str]| from.choose(&mut random).copied().unwrap_or_default();
    let mut found = Vec::new();
    for i in 0..count {
        let (place, who) = (pick(&PLACES[..places]), pick(&WHO));
        let captions: Vec<String> = (0..2 + i % 6)
            .map(|_| format!("{who} {} {place}.", pick(&DOES)))
            .collect();
        found.push(TextAlbum {
            unit: format!("{seed}-{i}"),
            summary: format!("{who} spends a day {place}, and {}.", pick(&DOES)),
            captions,
        });
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
    for caption in found.iter_mut().flat_map(|album| &mut album.captions) {
        if random.random_bool(strays) {
            let place = PLACES.choose(&mut random).copied().unwrap_or_default();
            *caption = format!("Something <b>odd</b> happens {place}, \"again\" & again.");
        }
    }
    found
}

/// A sweep whose kept albums near the ceiling with epsilon.
fn sweep(found: &Evaluation) -> Result<String, Box<dyn std::error::Error>> {
    let epsilons = [Some(1.0), Some(2.0), Some(4.0), Some(8.0), None];
    let at = |i: usize| {
        let mut at = found.clone();
        for kind in &mut at.kinds {
            let all = kind.measured.clone();
            for m in &mut kind.measured {
                let mut best = all.iter();
                let best = best.find(|b| b.measure == m.measure && b.role == Role::HeldOut);
                if let (Some(best), Role::Kept | Role::Sampled) = (best, m.role) {
                    let by = (best.estimate.value - m.estimate.value) * i as f64 / 5.0;
                    m.estimate.value += by;
                    m.estimate.low += by;
                    m.estimate.high += by;
                }
            }
        }
        at
    };
    let found: Vec<Evaluation> = (0..epsilons.len()).map(at).collect();
    let sweep = Sweep {
        title: "Invented sample albums".to_owned(),
        embedder: "all-minilm-l6-v2".to_owned(),
        unit: "album".to_owned(),
        declared_units: 400,
        points: epsilons
            .into_iter()
            .map(|epsilon| SweepPoint {
                epsilon,
                spent: epsilon.map(|e| 0.99 * e),
                sampled: 200,
                kept: 133,
            })
            .collect(),
        choice: Some(ChoiceCost {
            runs: 4,
            epsilon: 12.3,
            epsilon_lower: 12.2,
            delta: 1e-5,
        }),
    };
    Ok(render_sweep(&sweep, &found.iter().collect::<Vec<_>>())?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("name the file to write")?;
    let count: usize = arguments.next().map_or(Ok(400), |n| n.parse())?;
    let embedder = Embedder::load(&Home::locate()?.asset_dir("all-minilm-l6-v2"))?;
    let (reference, held_out) = halves(albums(count, 10, 0.0, 1), 1);
    let (sampled, floor) = (albums(count / 2, 8, 0.1, 10), albums(count / 2, 3, 0.5, 20));
    let sets: [(Role, &[TextAlbum]); 5] = [
        (Role::Kept, &sampled[..count / 3]),
        (Role::Sampled, &sampled),
        (Role::HeldOut, &held_out),
        (Role::Floor, &floor),
        (Role::FloorKept, &floor[..count / 5]),
    ];
    let settings = EvaluationSettings::default();
    let start = std::time::Instant::now();
    let found = evaluate(&reference, &sets, &embedder, &settings, &mut |_| ())?;
    println!("evaluated in {:?}", start.elapsed());
    let report = InternalReport {
        title: "Invented sample albums",
        embedder: "all-minilm-l6-v2",
        unit: "album",
    };
    std::fs::write(&out, render_internal_report(&report, &found)?)?;
    let swept = out.replace(".html", ".sweep.html");
    std::fs::write(&swept, sweep(&found)?)?;
    println!("wrote {out} and {swept}");
    Ok(())
}
