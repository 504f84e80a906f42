//! What a photo shows: the tagger names things, the detector counts them and finds the people.

use super::words::{counted, people, with_article};
use crate::detector::{Detection, is_animal, is_person, is_vehicle};
use crate::tagger::{Kind, Tag};

/// Above this probability a noun is stated outright.
const SURE: f32 = 0.5;
/// The same for buildings and things, whose ImageNet classes look alike (castle, palace, monastery,
/// mosque; can opener, letter opener, corkscrew).
const SURE_LOOKALIKE: f32 = 0.65;
/// The same for nouns that stand in for what ImageNet has no class for: churches of every kind, pliers,
/// scissors, wrenches, tweezers.
const SURE_STAND_IN: f32 = 0.9;
const STAND_INS: [&str; 3] = ["a monastery", "a can opener", "a letter opener"];
/// Above this probability the best noun is given with a hedge.
const LIKELY: f32 = 0.25;
/// Where its siblings (ray, shark: a fish) hold this much beside it, the hedge is on the broader noun.
const SHARED: f32 = 0.08;
/// Above this probability a setting is mentioned.
const SETTING: f32 = 0.1;
/// Above this probability a second thing of another sort is mentioned.
const BESIDE: f32 = 0.25;

/// Above this score a detection is believed.
const FOUND: f32 = 0.5;
/// COCO has ten animals and calls every other one by their names, and some of them persons: where
/// the tagger sees an animal, a person must be surer.
const FOUND_BESIDE_ANIMAL: f32 = 0.65;
/// Above this score a detection gives the subject where the tagger is unsure.
const FOUND_SURELY: f32 = 0.65;
/// The same for what covers much of the photo.
const FOUND_LARGE: f32 = 0.6;
/// The share of the photo that much is.
const LARGE_AREA: f32 = 0.2;
/// Boxes of two animals that overlap more than this are two guesses at one.
const SAME_ANIMAL_IOU: f32 = 0.5;
/// A noun below this probability says nothing of what kind of thing is there: what ImageNet does not
/// know spreads over its thousand classes, of which 398 are animals.
const FAINT: f32 = 0.05;
/// The share of the photo that its subject covers at least, all boxes together.
const SUBJECT_AREA: f32 = 0.04;
/// The share that the nearest person covers at least where people are the subject: the visitors
/// of a monument are smaller.
const NEAR_AREA: f32 = 0.015;
/// Smaller boxes are specks in the distance.
const SPECK_AREA: f32 = 0.002;

/// The noun phrase of the sentence.
pub(super) fn subject(tags: &[Tag], found: &[Detection]) -> String {
    let animal = tags
        .first()
        .is_some_and(|t| t.kind == Kind::Animal && t.broad_probability >= SURE);
    let enough = if animal { FOUND_BESIDE_ANIMAL } else { FOUND };
    let mut persons = 0;
    let (mut covered, mut nearest) = (0.0, 0.0_f32);
    if found.iter().any(|d| is_person(d) && d.score >= enough) {
        // In a group each is seen less clearly: one sure person vouches for the rest.
        for person in found
            .iter()
            .filter(|d| is_person(d) && d.area() >= SPECK_AREA)
        {
            persons += 1;
            covered += person.area();
            nearest = nearest.max(person.area());
        }
    }
    if covered >= SUBJECT_AREA && nearest >= NEAR_AREA {
        return with_people_first(tags, found, persons);
    }
    let thing = thing(tags, found);
    match persons {
        0 => thing,
        1 => format!("{thing} with a person"),
        _ => format!("{thing} with people"),
    }
}

/// How many animals there are. COCO calls many of them by other names, so each counts whatever it is
/// called, once; one that is sure vouches for the rest.
fn count_animals(found: &[Detection]) -> usize {
    let animals = || {
        found
            .iter()
            .filter(|d| is_animal(d) && d.area() >= SPECK_AREA)
    };
    if !animals().any(|d| d.score >= FOUND) {
        return 0;
    }
    let mut counted: Vec<&Detection> = Vec::new();
    for animal in animals() {
        if counted.iter().all(|c| c.overlap(animal) <= SAME_ANIMAL_IOU) {
            counted.push(animal);
        }
    }
    counted.len()
}

/// "two people and a dog by a lake"
fn with_people_first(tags: &[Tag], found: &[Detection], count: usize) -> String {
    let mut words = people(count);
    let worn = tags
        .first()
        .filter(|t| t.kind == Kind::Person && t.probability >= SURE);
    if let Some(worn) = worn.filter(|_| count == 1) {
        worn.noun.clone_into(&mut words);
    }
    let mut animals = found
        .iter()
        .filter(|d| is_animal(d) && d.score >= FOUND && d.area() >= SPECK_AREA);
    let companion = |t: &&Tag| {
        let portable = !matches!(
            t.kind,
            Kind::Person | Kind::Building | Kind::Scene | Kind::Furniture
        );
        portable && t.broad_probability >= BESIDE
    };
    if let Some(tag) = tags.iter().find(companion) {
        let noun = if tag.probability >= SURE {
            tag.noun
        } else {
            tag.broad
        };
        let count = if tag.kind == Kind::Animal {
            count_animals(found)
        } else {
            1
        };
        words = format!("{words} and {}", counted(noun, count));
    } else if let Some(animal) = animals.next() {
        words = format!(
            "{words} and {}",
            counted(&with_article(animal.noun()), count_animals(found))
        );
    }
    let is_setting = |t: &&Tag| {
        t.probability
            >= if t.kind == Kind::Scene {
                SETTING
            } else {
                BESIDE
            }
    };
    if let Some(setting) = tags.iter().filter(is_setting).find_map(|t| t.row.setting) {
        return format!("{words} {setting}");
    }
    let building = tags
        .iter()
        .find(|t| t.kind == Kind::Building && t.broad_probability >= BESIDE);
    match building {
        Some(tag) => format!(
            "{words} by {}",
            if tag.probability >= SURE {
                tag.noun
            } else {
                tag.broad
            }
        ),
        None => words,
    }
}

/// The subject with a setting ("a hen by a barn") or a second thing ("a dog and a boat").
/// ImageNet's classes compete: a second noun of the same kind is mostly another guess at the same
/// thing, one of another kind is mostly beside it.
fn thing(tags: &[Tag], found: &[Detection]) -> String {
    let main = main_noun(tags, found);
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

/// The main thing, as exactly as the probabilities allow.
fn main_noun(tags: &[Tag], found: &[Detection]) -> String {
    let count_of = |tag: &Tag| {
        if tag.kind == Kind::Animal {
            count_animals(found)
        } else {
            1
        }
    };
    let best = tags.first();
    if let Some(best) = best {
        let sure = match best.kind {
            _ if STAND_INS.contains(&best.noun) => SURE_STAND_IN,
            Kind::Building | Kind::Object => SURE_LOOKALIKE,
            _ => SURE,
        };
        if best.probability >= sure {
            return counted(best.noun, count_of(best));
        }
    }
    // Two weak witnesses who agree.
    let agreed = tags.iter().find(|t| {
        let same = |d: &Detection| d.score >= FOUND && t.noun == with_article(d.noun());
        t.probability >= LIKELY && found.iter().any(same)
    });
    if let Some(tag) = agreed {
        return counted(tag.noun, count_of(tag));
    }
    let vehicle = likeliest_kind(tags).0 == Kind::Vehicle;
    let large = found.iter().find(|d| {
        let thing = !is_person(d) && !is_animal(d) && is_vehicle(d) == vehicle;
        thing && d.score >= FOUND_LARGE && d.area() >= LARGE_AREA
    });
    if let Some(large) = large {
        return with_article(large.noun());
    }
    let broadest = tags
        .iter()
        .max_by(|a, b| a.broad_probability.total_cmp(&b.broad_probability));
    if let Some(tag) = broadest
        && tag.broad_probability >= SURE
    {
        return counted(tag.broad, count_of(tag));
    }
    let detected = found
        .iter()
        .find(|d| !is_person(d) && d.score >= FOUND_SURELY && d.area() >= SUBJECT_AREA);
    if let Some(detected) = detected {
        let alike = |d: &&Detection| {
            d.class == detected.class && d.score >= FOUND && d.area() >= SPECK_AREA
        };
        let count = if is_animal(detected) {
            count_animals(found)
        } else {
            found.iter().filter(alike).count()
        };
        return counted(&with_article(detected.noun()), count);
    }
    if let Some(best) = best.filter(|t| t.probability >= LIKELY) {
        let shared = best.broad_probability - best.probability >= SHARED;
        let noun = if shared { best.broad } else { best.noun };
        return format!("what looks like {noun}");
    }
    likeliest_kind(tags).1.to_owned()
}

/// The kind of thing that is most likely there, and a noun for it.
fn likeliest_kind(tags: &[Tag]) -> (Kind, &'static str) {
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
    let clear = tags.iter().any(|t| t.probability >= FAINT);
    let of_kind = |kind: Kind| {
        tags.iter()
            .filter(|t| t.kind == kind && (t.probability >= FAINT || !clear))
            .map(|t| t.probability)
            .sum()
    };
    let likeliest = kinds.map(|(kind, words)| (of_kind(kind), (kind, words)));
    let likeliest = likeliest
        .iter()
        .max_by(|a: &&(f32, _), b| a.0.total_cmp(&b.0));
    likeliest
        .filter(|_| !tags.is_empty())
        .map_or((Kind::Object, "something"), |&(_, likeliest)| likeliest)
}
