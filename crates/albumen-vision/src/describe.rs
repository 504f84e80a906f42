//! A plain English sentence for a photo, from the tagger's nouns and the picture's facts.

use std::path::Path;

use image::RgbImage;

use crate::error::Result;
use crate::facts::{Facts, Light, Orientation};
use crate::tagger::{Kind, Place, Tag, Tagger};

/// Above this probability a noun is stated outright.
const SURE: f32 = 0.5;
/// The same for buildings, whose ImageNet classes (castle, palace, monastery, mosque) look alike.
const SURE_BUILDING: f32 = 0.65;
/// Above this probability the best noun is given with a hedge.
const LIKELY: f32 = 0.25;
/// Above this probability a setting is mentioned.
const SETTING: f32 = 0.1;
/// Above this probability a second thing of another sort is mentioned.
const BESIDE: f32 = 0.25;

/// The embedded tagger with its sentence: photos in, captions out.
pub struct Describer {
    tagger: Tagger,
}

impl Describer {
    /// Loads the tagger's checkpoint.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another architecture.
    pub fn load(tagger: &Path) -> Result<Self> {
        Ok(Self {
            tagger: Tagger::load(tagger)?,
        })
    }

    /// One sentence for each image, each from its own pixels alone.
    ///
    /// # Errors
    /// Where an image has no pixels or the computation fails.
    pub fn describe(&self, images: &[RgbImage]) -> Result<Vec<String>> {
        let tags = self.tagger.tags(images)?;
        images
            .iter()
            .zip(&tags)
            .map(|(image, tags)| Ok(describe(&Facts::of(image)?, tags)))
            .collect()
    }
}

/// The sentence: the main subject first, at most 25 words, the same for the same input.
pub fn describe(facts: &Facts, tags: &[Tag]) -> String {
    let what = subject_and_second(tags);
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

/// What the photo shows, as exactly as the probabilities allow.
fn subject(tags: &[Tag]) -> String {
    let Some(best) = tags.first() else {
        return "something".to_owned();
    };
    let sure = if best.kind == Kind::Building {
        SURE_BUILDING
    } else {
        SURE
    };
    if best.probability >= sure {
        return best.noun.to_owned();
    }
    let broadest = tags
        .iter()
        .max_by(|a, b| a.broad_probability.total_cmp(&b.broad_probability));
    if let Some(tag) = broadest
        && tag.broad_probability >= SURE
    {
        return tag.broad.to_owned();
    }
    if best.probability >= LIKELY {
        return format!("what looks like {}", best.noun);
    }
    let of_kind = |kind: Kind| {
        tags.iter()
            .filter(|t| t.kind == kind)
            .map(|t| t.probability)
            .sum()
    };
    let kinds = [
        (Kind::Animal, "an animal"),
        (Kind::Building, "a building"),
        (Kind::Scene, "a view"),
        (Kind::Vehicle, "a vehicle"),
        (Kind::Plant, "plants"),
        (Kind::Food, "food"),
        (Kind::Person, "a person"),
        (Kind::Furniture, "furniture"),
        (Kind::Instrument, "a musical instrument"),
        (Kind::Object, "an object"),
    ];
    let likeliest = kinds.map(|(kind, words)| (of_kind(kind), words));
    let likeliest = likeliest
        .iter()
        .max_by(|a: &&(f32, _), b| a.0.total_cmp(&b.0));
    likeliest
        .map_or("something", |&(_, words)| words)
        .to_owned()
}

/// The subject with a setting ("a hen by a barn") or a second thing ("a dog and a boat").
/// ImageNet's classes compete: a second noun of the same kind is mostly another guess at the same
/// thing, one of another kind is mostly beside it.
fn subject_and_second(tags: &[Tag]) -> String {
    let main = subject(tags);
    let Some(best) = tags.first() else {
        return main;
    };
    let others = || tags[1..].iter().filter(|t| t.kind != best.kind);
    // A scene's inhabitant comes first: "a goldfish on a coral reef".
    if let Some(setting) = best.row.setting.filter(|_| best.kind == Kind::Scene)
        && let Some(inhabitant) = others().find(|t| t.broad_probability >= BESIDE)
    {
        return format!("{} {setting}", inhabitant.broad);
    }
    let is_scene = |t: &&Tag| t.kind == Kind::Scene && t.probability >= SETTING;
    if let Some(setting) = others().find(is_scene).and_then(|t| t.row.setting) {
        return format!("{main} {setting}");
    }
    match others()
        .find(|t| t.probability >= BESIDE)
        .map(|t| (t.row.setting, t.noun))
    {
        Some((Some(setting), _)) => format!("{main} {setting}"),
        Some((None, noun)) => format!("{main} and {noun}"),
        None => main,
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

    #[test]
    fn a_sure_noun_stands_alone() {
        let sentence = describe(&facts(Light::Daylight, 0), &tags(&[(SWAN, 0.9)]));
        assert_eq!(
            sentence,
            "A wide photo of a swan in daylight, mostly blue and grey."
        );
    }

    #[test]
    fn doubt_widens_the_noun() {
        let doubtful = tags(&[(SWAN, 0.35), (GOOSE, 0.3)]);
        assert!(describe(&facts(Light::Dusk, 1), &doubtful).starts_with("A bird at dusk,"));
        let likely = tags(&[(SWAN, 0.3)]);
        let sentence = describe(&facts(Light::Daylight, 2), &likely);
        assert!(sentence.contains("what looks like a swan"), "{sentence}");
        let unsure = tags(&[(SWAN, 0.1), (GOLDEN_RETRIEVER, 0.05)]);
        assert!(describe(&facts(Light::Daylight, 1), &unsure).starts_with("An animal"));
        let buildings = tags(&[(CASTLE, 0.55), (PALACE, 0.2)]);
        assert!(describe(&facts(Light::Daylight, 1), &buildings).starts_with("A monument"));
    }

    #[test]
    fn breeds_add_up_and_scenes_become_settings() {
        let tags = tags(&[(GOLDEN_RETRIEVER, 0.4), (LABRADOR, 0.35), (LAKESIDE, 0.15)]);
        let sentence = describe(&facts(Light::Daylight, 1), &tags);
        assert!(sentence.starts_with("A dog by a lake"), "{sentence}");
    }

    #[test]
    fn every_pair_of_classes_makes_a_short_sentence() {
        for first in 0..1000 {
            for (second, p) in [
                ((first * 7 + 3) % 1000, 0.3),
                ((first * 13 + 5) % 1000, 0.15),
            ] {
                for light in [Light::Night, Light::Dusk, Light::Daylight, Light::Bright] {
                    let tags = tags(&[(first, 0.45), (second, p)]);
                    let sentence = describe(&facts(light, first as u32), &tags);
                    assert!(sentence.split(' ').count() <= 25, "{sentence}");
                    assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
                    assert!(
                        sentence.ends_with('.') && !sentence.contains("  "),
                        "{sentence}"
                    );
                }
            }
        }
        let nothing = describe(&facts(Light::Daylight, 0), &[]);
        assert_eq!(nothing, "A wide photo of something, mostly blue and grey.");
    }
}
