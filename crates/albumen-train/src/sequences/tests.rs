#![allow(clippy::unwrap_used, reason = "tests may panic")]
use albumen_lm::Mask;

use super::*;
use crate::tiny::{Tiny, album};

const LONG: Lengths = Lengths {
    summary_tokens: 100,
    caption_tokens: 100,
};

fn seaside() -> AlbumText {
    album("o", "Sea.", &["A dog.", "A cat."])
}

/// What is given and what is to be predicted, each in order, as text.
fn split(tiny: &Tiny, sequence: &Sequence) -> (String, String) {
    let of = |target: bool| -> Vec<u32> {
        let tokens = sequence.tokens().iter().zip(sequence.weights());
        tokens
            .filter(|(_, w)| (**w != 0.0) == target)
            .map(|(t, _)| *t)
            .collect()
    };
    (tiny.text(&of(false)), tiny.text(&of(true)))
}

fn one(tiny: &Tiny, model: Model, lengths: Lengths) -> Sequence {
    let unit = vec![seaside()];
    let mut sequences = tokens_of_unit(model, &unit, &tiny.tokenizer, lengths).unwrap();
    assert_eq!(sequences.len(), 1);
    sequences.remove(0)
}

#[test]
fn the_summary_model_learns_number_and_summary_and_sees_no_caption() {
    let tiny = Tiny::new();
    let sequence = one(&tiny, Model::Summary, LONG);
    let (given, learnt) = split(&tiny, &sequence);
    assert_eq!((&*given, &*learnt), ("Album of", " 2 photos: Sea.$"));
    assert_eq!(sequence.mask(), &Mask::Causal);
}

#[test]
fn the_caption_model_learns_captions_alone_each_on_a_branch_of_its_own() {
    let tiny = Tiny::new();
    let sequence = one(&tiny, Model::Caption, LONG);
    let trunk = "Album of 2 photos: Sea.\n";
    let (given, learnt) = split(&tiny, &sequence);
    assert_eq!(given, format!("{trunk}Photo 1 of 2:Photo 2 of 2:"));
    assert_eq!(learnt, " A dog.$ A cat.$");
    let branch = "Photo 1 of 2: A dog.$".len();
    let tree = Mask::Tree {
        trunk: trunk.len(),
        branches: vec![branch, branch],
    };
    assert_eq!(sequence.mask(), &tree);
}

#[test]
fn the_flat_model_learns_the_whole_album_but_its_first_words() {
    let tiny = Tiny::new();
    let sequence = one(&tiny, Model::Album, LONG);
    let (given, learnt) = split(&tiny, &sequence);
    assert_eq!(given, "Album of");
    let target = format::album_target("Sea.", &seaside().captions);
    assert_eq!(learnt, target + "$");
    assert_eq!(sequence.mask(), &Mask::Causal);
    assert!(sequence.weights()[8..].iter().all(|&w| w == 1.0));
}

#[test]
fn the_parts_of_a_flat_album_are_what_the_two_models_learn() {
    let tiny = Tiny::new();
    let part = |summary: f32, prompt: f32, caption: f32| {
        let weights = AlbumWeights {
            summary,
            prompt,
            caption,
        };
        let sequence = album_sequence(&seaside(), &tiny.tokenizer, LONG, weights).unwrap();
        split(&tiny, &sequence).1
    };
    assert_eq!(part(1.0, 0.0, 0.0), " 2 photos: Sea.\n");
    assert_eq!(part(0.0, 1.0, 0.0), "Photo 1 of 2:Photo 2 of 2:");
    assert_eq!(part(0.0, 0.0, 1.0), " A dog.\n A cat.$");
}

#[test]
fn long_texts_are_cut_and_still_end() {
    let tiny = Tiny::new();
    let short = Lengths {
        summary_tokens: 12,
        caption_tokens: 4,
    };
    let cut = |model| split(&tiny, &one(&tiny, model, short));
    let summary = " 2 photos: S";
    assert_eq!(cut(Model::Summary).1, format!("{summary}$"));
    // A trunk is cut where the summary model's text is: the caption model sees no more at sampling.
    let (given, learnt) = cut(Model::Caption);
    assert_eq!(
        given,
        format!("Album of{summary}Photo 1 of 2:Photo 2 of 2:")
    );
    assert_eq!(learnt, " A d$ A c$");
    let flat = format!("{summary}\nPhoto 1 of 2: A d\nPhoto 2 of 2: A c$");
    assert_eq!(cut(Model::Album).1, flat);
}

#[test]
fn a_unit_weighs_one_whatever_it_holds() {
    let tiny = Tiny::new();
    let unit = vec![
        seaside(),
        album("o", "A long walk in the woods.", &["A tree."]),
        album(
            "o",
            "Hills.",
            &["A hill.", "A long and winding road.", "Me."],
        ),
    ];
    for model in [Model::Summary, Model::Caption, Model::Album] {
        let sequences = of_unit(model, &unit, &tiny.tokenizer, LONG).unwrap();
        assert_eq!(sequences.len(), 3);
        for sequence in &sequences {
            // Every album counts alike, and every target token of an album.
            let total = sequence.total_weight();
            assert!((total - 1.0 / 3.0).abs() < 1e-5, "{total}");
            let targets = sequence.targets();
            assert!(targets.iter().all(|t| t.2 == targets[0].2));
        }
    }
}

#[test]
fn models_have_the_names_that_files_and_ledgers_know() {
    let names = [Model::Summary, Model::Caption, Model::Album].map(Model::name);
    assert_eq!(names, ["summary", "caption", "album"]);
}
