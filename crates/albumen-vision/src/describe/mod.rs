//! A plain English sentence for a photo, from the tagger's nouns, the detector's boxes and the
//! picture's facts.

use std::path::Path;

use image::RgbImage;

use crate::detector::{Detection, Detector};
use crate::error::Result;
use crate::facts::{Facts, Light, Orientation};
use crate::tagger::{Place, Tag, Tagger};

mod subject;
mod words;

/// Detections below this score are not looked at.
pub const THRESHOLD: f32 = 0.4;

/// The embedded tagger: nouns, detections and facts of a photo in one sentence.
pub struct Describer {
    tagger: Tagger,
    detector: Detector,
}

impl Describer {
    /// What it takes with its activations: the peak of examples/describe_photos, 137 MiB resident, on 26
    /// November 2026.
    pub const MEMORY_BYTES: u64 = 144_000_000;

    /// Loads the tagger's checkpoint (`efficientnet-lite0-57934424.pth`) and the detector's folder
    /// (`nanodet.json` and `nanodet.bin`).
    ///
    /// # Errors
    /// A file that is missing, damaged or of another architecture.
    pub fn load(tagger: &Path, detector: &Path) -> Result<Self> {
        Ok(Self {
            tagger: Tagger::load(tagger)?,
            detector: Detector::load(detector)?,
        })
    }

    /// One sentence for each image, each from its own pixels alone.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn describe(&self, images: &[RgbImage]) -> Result<Vec<String>> {
        let tags = self.tagger.tags(images)?;
        let found = self.detector.detect(images, THRESHOLD)?;
        let facts = images.iter().map(Facts::of).collect::<Result<Vec<_>>>()?;
        let parts = facts.iter().zip(&tags).zip(&found);
        Ok(parts
            .map(|((facts, tags), found)| describe(facts, tags, found))
            .collect())
    }
}

/// The sentence: the main subject first, at most 25 words, the same for the same input.
pub fn describe(facts: &Facts, tags: &[Tag], found: &[Detection]) -> String {
    let what = subject::subject(tags, found);
    let light = light(facts, tags);
    let colours = facts.colours.join(" and ");
    match (facts.variety % 3, light) {
        (0, light) => {
            let frame = match facts.orientation {
                Orientation::Landscape => "wide",
                Orientation::Portrait => "tall",
                Orientation::Square => "square",
            };
            let light = light.map_or(String::new(), |words| format!(" {words}"));
            format!("A {frame} photo of {what}{light}, mostly {colours}.")
        }
        (1, Some(light)) => capitalised(&format!("{what} {light}, mostly {colours}.")),
        (1, None) => capitalised(&format!("{what}, mostly {colours}.")),
        (_, Some(light)) => format!("A photo of {what} {light}, in {colours}."),
        (_, None) => format!("A photo of {what}, in {colours}."),
    }
}

/// Light or background, where there is something to say: the time of day is told only outdoors.
fn light(facts: &Facts, tags: &[Tag]) -> Option<String> {
    let is_at = |place: Place| -> bool {
        tags.iter()
            .filter(|t| t.row.place == place)
            .map(|t| t.probability)
            .sum::<f32>()
            > 0.5
    };
    if is_at(Place::Underwater) {
        return Some("under water".to_owned());
    }
    let outdoors = is_at(Place::Outdoors);
    let words = match (facts.plain_background, facts.light) {
        (Some("blue"), _) if outdoors => "under a blue sky",
        (Some("grey" | "white"), _) if outdoors => "under a pale sky",
        (Some(colour), _) => return Some(format!("on a plain {colour} background")),
        (None, _) if is_at(Place::Indoors) => "indoors",
        (None, Light::Night) if outdoors => "at night",
        (None, Light::Dusk) if outdoors => "at dusk",
        (None, Light::Daylight) if outdoors => "in daylight",
        (None, Light::Bright) if outdoors => "in bright daylight",
        (None, Light::Night) => "in the dark",
        (None, Light::Dusk) => "in dim light",
        (None, Light::Daylight) => return None,
        (None, Light::Bright) => "in bright light",
    };
    Some(words.to_owned())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tagger::merge_classes;

    fn facts(light: Light, variety: u32) -> Facts {
        Facts {
            brightness: 0.5,
            light,
            colours: vec!["blue", "grey"],
            orientation: Orientation::Landscape,
            plain_background: None,
            variety,
        }
    }

    fn tags(classes: &[(usize, f32)]) -> Vec<Tag> {
        let mut probabilities = vec![0.0; 1000];
        for &(class, p) in classes {
            probabilities[class] = p;
        }
        merge_classes(&probabilities)
    }

    const SWAN: usize = 100;
    const GOOSE: usize = 99;
    const GOLDEN_RETRIEVER: usize = 207;
    const LABRADOR: usize = 208;
    const LAKESIDE: usize = 975;
    const CASTLE: usize = 483;
    const PALACE: usize = 698;
    const CAN_OPENER: usize = 473;
    const RAY: usize = 6;
    const SHARK: usize = 3;
    const CRANE: usize = 517;
    const CORKSCREW: usize = 512;
    /// Of COCO.
    const SCISSORS: usize = 76;
    const AEROPLANE: usize = 4;

    #[test]
    fn a_sure_noun_stands_alone() {
        let sentence = describe(&facts(Light::Daylight, 0), &tags(&[(SWAN, 0.9)]), &[]);
        assert_eq!(
            sentence,
            "A wide photo of a swan in daylight, mostly blue and grey."
        );
    }

    #[test]
    fn doubt_widens_the_noun() {
        let doubtful = tags(&[(SWAN, 0.35), (GOOSE, 0.3)]);
        assert!(describe(&facts(Light::Dusk, 1), &doubtful, &[]).starts_with("A bird at dusk,"));
        let likely = tags(&[(SWAN, 0.3)]);
        let sentence = describe(&facts(Light::Daylight, 2), &likely, &[]);
        assert!(sentence.contains("what looks like a swan"), "{sentence}");
        let unsure = tags(&[(SWAN, 0.1), (GOLDEN_RETRIEVER, 0.05)]);
        assert!(describe(&facts(Light::Daylight, 1), &unsure, &[]).starts_with("An animal"));
        let buildings = tags(&[(CASTLE, 0.55), (PALACE, 0.2)]);
        assert!(describe(&facts(Light::Daylight, 1), &buildings, &[]).starts_with("A monument"));
    }

    #[test]
    fn breeds_add_up_and_scenes_become_settings() {
        let tags = tags(&[(GOLDEN_RETRIEVER, 0.4), (LABRADOR, 0.35), (LAKESIDE, 0.15)]);
        let sentence = describe(&facts(Light::Daylight, 1), &tags, &[]);
        assert!(sentence.starts_with("A dog by a lake"), "{sentence}");
    }

    /// Objects by class, score and side, one beside the other.
    fn found(objects: &[(usize, f32, f32)]) -> Vec<Detection> {
        let object = |(i, &(class, score, side)): (usize, &(usize, f32, f32))| Detection {
            class,
            score,
            bounds: [i as f32 * side, 0.1, (i + 1) as f32 * side, 0.1 + side],
        };
        objects.iter().enumerate().map(object).collect()
    }

    const PERSON: usize = 0;
    const DOG: usize = 16;
    const HORSE: usize = 17;

    #[test]
    fn people_come_first_where_they_are_large() {
        let dog = tags(&[(GOLDEN_RETRIEVER, 0.4), (LAKESIDE, 0.15)]);
        let family = found(&[(PERSON, 0.7, 0.4), (PERSON, 0.6, 0.3), (DOG, 0.6, 0.2)]);
        let sentence = describe(&facts(Light::Daylight, 1), &dog, &family);
        assert!(
            sentence.starts_with("Two people and a dog by a lake"),
            "{sentence}"
        );
        let castle = tags(&[(CASTLE, 0.9)]);
        let visitors = found(&[(PERSON, 0.7, 0.05), (PERSON, 0.6, 0.06)]);
        let sentence = describe(&facts(Light::Daylight, 1), &castle, &visitors);
        assert!(sentence.starts_with("A castle with people"), "{sentence}");
        let crowd = found(&[(PERSON, 0.7, 0.08); 12]);
        let sentence = describe(&facts(Light::Daylight, 1), &castle, &crowd);
        assert!(sentence.starts_with("A castle with people"), "{sentence}");
    }

    #[test]
    fn the_detector_counts_and_helps_in_doubt() {
        let swans = found(&[(14, 0.7, 0.3), (14, 0.6, 0.3), (14, 0.45, 0.3)]);
        let sentence = describe(&facts(Light::Daylight, 1), &tags(&[(SWAN, 0.9)]), &swans);
        assert!(sentence.starts_with("Three swans"), "{sentence}");
        // Two guesses at one animal are one, and none counts where none is sure.
        let mut one = found(&[(14, 0.7, 0.3), (18, 0.6, 0.3)]);
        one[1].bounds = one[0].bounds;
        let sentence = describe(&facts(Light::Daylight, 1), &tags(&[(SWAN, 0.9)]), &one);
        assert!(sentence.starts_with("A swan"), "{sentence}");
        let faint = found(&[(14, 0.45, 0.3), (14, 0.45, 0.3)]);
        let sentence = describe(&facts(Light::Daylight, 1), &tags(&[(SWAN, 0.9)]), &faint);
        assert!(sentence.starts_with("A swan"), "{sentence}");
        let unsure = tags(&[(SWAN, 0.1)]);
        let sentence = describe(
            &facts(Light::Daylight, 1),
            &unsure,
            &found(&[(HORSE, 0.8, 0.4)]),
        );
        assert!(sentence.starts_with("A horse"), "{sentence}");
        // Agreement makes up for doubt, disagreement does not.
        let weak = tags(&[(339, 0.4), (GOLDEN_RETRIEVER, 0.1)]); // sorrel, a horse
        let sentence = describe(
            &facts(Light::Daylight, 1),
            &weak,
            &found(&[(HORSE, 0.55, 0.4)]),
        );
        assert!(sentence.starts_with("A horse"), "{sentence}");
        let sentence = describe(
            &facts(Light::Daylight, 1),
            &weak,
            &found(&[(DOG, 0.55, 0.4)]),
        );
        assert!(
            sentence.starts_with("What looks like a horse"),
            "{sentence}"
        );
        // A tagger that is sure is not overruled by COCO's few animals.
        let sentence = describe(
            &facts(Light::Daylight, 1),
            &tags(&[(SWAN, 0.9)]),
            &found(&[(HORSE, 0.8, 0.4)]),
        );
        assert!(sentence.starts_with("A swan"), "{sentence}");
    }

    #[test]
    fn what_imagenet_does_not_know_is_named_by_the_detector_or_broadly() {
        // Pliers, scissors and wrenches are no classes of ImageNet.
        let can_opener = tags(&[(CAN_OPENER, 0.45), (CORKSCREW, 0.2)]);
        let scissors = found(&[(SCISSORS, 0.62, 0.8)]);
        let sentence = describe(&facts(Light::Daylight, 1), &can_opener, &scissors);
        assert!(sentence.starts_with("A pair of scissors"), "{sentence}");
        // Neither a guess of the detector nor one thing among others.
        for other in [
            found(&[(SCISSORS, 0.52, 0.8)]),
            found(&[(SCISSORS, 0.62, 0.3)]),
        ] {
            let sentence = describe(&facts(Light::Daylight, 1), &can_opener, &other);
            assert!(sentence.starts_with("A tool"), "{sentence}");
        }
        let aeroplane = found(&[(AEROPLANE, 0.7, 0.8)]);
        let sentence = describe(&facts(Light::Daylight, 1), &can_opener, &aeroplane);
        assert!(sentence.starts_with("A tool"), "{sentence}");
        let pliers = tags(&[(CAN_OPENER, 0.74)]);
        let sentence = describe(&facts(Light::Daylight, 1), &pliers, &[]);
        assert!(sentence.starts_with("A tool"), "{sentence}");
        // Half a fish, half of another: the hedge is on what they have in common.
        let rays = tags(&[(RAY, 0.30), (SHARK, 0.12)]);
        let sentence = describe(&facts(Light::Daylight, 1), &rays, &[]);
        assert!(sentence.starts_with("What looks like a fish"), "{sentence}");
        // The machine is no bird.
        let sentence = describe(&facts(Light::Daylight, 1), &tags(&[(CRANE, 0.3)]), &[]);
        assert!(
            sentence.starts_with("What looks like a crane"),
            "{sentence}"
        );
        // A little of every dog is in each photo.
        let mut probabilities = vec![0.001; 1000];
        probabilities[CASTLE] = 0.2;
        let diffuse = merge_classes(&probabilities);
        let sentence = describe(&facts(Light::Daylight, 1), &diffuse, &[]);
        assert!(sentence.starts_with("A building"), "{sentence}");
    }

    #[test]
    fn every_pair_of_classes_makes_a_short_sentence() {
        for first in 0..1000 {
            for (second, p) in [
                ((first * 7 + 3) % 1000, 0.3),
                ((first * 13 + 5) % 1000, 0.15),
            ] {
                let found = found(&[
                    (first % 80, 0.8, 0.4),
                    (PERSON, 0.7, 0.3 * (second % 2) as f32),
                ]);
                for light in [Light::Night, Light::Dusk, Light::Daylight, Light::Bright] {
                    let tags = tags(&[(first, 0.45), (second, p)]);
                    let sentence = describe(&facts(light, first as u32), &tags, &found);
                    assert!(sentence.split(' ').count() <= 25, "{sentence}");
                    assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
                    assert!(
                        sentence.ends_with('.') && !sentence.contains("  "),
                        "{sentence}"
                    );
                }
            }
        }
        let nothing = describe(&facts(Light::Daylight, 0), &[], &[]);
        assert_eq!(nothing, "A wide photo of something, mostly blue and grey.");
    }
}
