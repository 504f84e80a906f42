//! The renderer's public tables (`data/*.toml`), read once when an [`Illustrator`] loads.
//!
//! [`Illustrator`]: crate::Illustrator

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::Deserialize;

use crate::colour::Rgb;
use crate::error::{IllustrationError, Result};

const ICONS: &str = include_str!("../data/icons.toml");
const WORDS: &str = include_str!("../data/words.toml");
const PLACES: &str = include_str!("../data/places.toml");
const PALETTES: &str = include_str!("../data/palettes.toml");

/// How an icon stands in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// On the ground, with a shadow.
    Ground,
    /// In the air.
    Sky,
    /// On the water's surface.
    Float,
    /// Under water.
    Swim,
    /// A thing laid on a table or held up close.
    Table,
    /// Large, behind the rest.
    Building,
    /// Grows from the ground.
    Plant,
    /// An animal's head: a body is drawn under it.
    Head,
    /// Cut off by the picture's lower edge.
    Bust,
}

/// One group of the icon pool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) theme: String,
    pub(crate) stance: Stance,
    pub(crate) place: String,
    /// Icon name to its height in metres.
    pub(crate) icons: BTreeMap<String, f32>,
}

/// What stands at the horizon, or what an inner wall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Far {
    None,
    Hills,
    Mountains,
    Dunes,
    Skyline,
    Houses,
    Trees,
    Treeline,
    Sea,
    Bridge,
    Stands,
    Tiles,
    Plain,
    Planks,
    Shelves,
    Columns,
}

/// What the lower part of the picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ground {
    None,
    Grass,
    Sand,
    Snow,
    Paving,
    Road,
    Water,
    Earth,
    Rails,
    Pitch,
    Boards,
    Tiles,
    Cloth,
}

/// The painter that a place needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Outdoor,
    Room,
    Table,
    Stage,
    Underwater,
    Space,
}

/// A background.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    words: String,
    pub(crate) about: String,
    pub(crate) kind: Kind,
    pub(crate) far: Far,
    pub(crate) ground: Ground,
    props: String,
}

impl Place {
    /// The icons that may dress the scene.
    pub(crate) fn props(&self) -> Vec<&str> {
        list(&self.props).collect()
    }
}

/// An album's colours; see the head of `data/palettes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Palette {
    pub(crate) mood: String,
    pub(crate) sky: [Rgb; 2],
    pub(crate) dusk: [Rgb; 3],
    pub(crate) night: [Rgb; 2],
    pub(crate) far: [Rgb; 3],
    pub(crate) grass: Rgb,
    pub(crate) sand: Rgb,
    pub(crate) earth: Rgb,
    pub(crate) water: Rgb,
    pub(crate) stone: Rgb,
    pub(crate) wall: Rgb,
    pub(crate) floor: Rgb,
    pub(crate) cloth: Rgb,
    pub(crate) curtain: Rgb,
    pub(crate) accent: [Rgb; 3],
    pub(crate) tint: Rgb,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeopleRow {
    words: String,
    figures: String,
    pose: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WordsFile {
    stop: String,
    time: BTreeMap<String, String>,
    weather: BTreeMap<String, String>,
    season: BTreeMap<String, String>,
    shot: BTreeMap<String, String>,
    numbers: BTreeMap<String, String>,
    colours: BTreeMap<String, String>,
    people: Vec<PeopleRow>,
    poses: BTreeMap<String, String>,
    alias: BTreeMap<String, String>,
    kinds: BTreeMap<String, String>,
    implied: BTreeMap<String, String>,
}

/// What a word or phrase means to the renderer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sense {
    /// Says nothing about the picture.
    Stop,
    /// Sets the time of day, by its name in the table.
    Time(String),
    /// Sets the weather.
    Weather(String),
    /// Sets the season.
    Season(String),
    /// Sets the camera's distance.
    Shot(String),
    /// Counts the next subject.
    Number(usize),
    /// Colours the next subject, or the picture.
    Colour(String),
    /// Names the place.
    Place(String),
    /// Names people, with what they do if the word says it.
    People {
        figures: Vec<String>,
        pose: Option<String>,
    },
    /// Says what people do.
    Pose(String),
    /// Names an icon.
    Icon(String),
    /// Names a kind that several icons are of.
    OneOf(Vec<String>),
    /// Says the colour of the thing that the same word names ("goldfish").
    Implied(String),
}

/// All tables.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) places: BTreeMap<String, Place>,
    pub(crate) palettes: BTreeMap<String, Palette>,
    senses: HashMap<String, Vec<Sense>>,
    /// Words of the longest phrase.
    pub(crate) longest: usize,
}

impl Group {
    /// Its icons are animals or people.
    pub(crate) fn living(&self) -> bool {
        ["animal", "person", "worker", "bird", "creature", "insect"]
            .iter()
            .any(|kind| self.theme.ends_with(kind))
    }
}

impl Tables {
    /// The group of an icon.
    pub(crate) fn group(&self, icon: &str) -> Option<&Group> {
        self.groups.values().find(|g| g.icons.contains_key(icon))
    }

    /// Reads the tables that are compiled in.
    ///
    /// # Errors
    /// A table that does not parse: a mistake in this crate, not in its input.
    pub(crate) fn load() -> Result<Self> {
        let groups: BTreeMap<String, Group> = parse("icons.toml", ICONS)?;
        let places: BTreeMap<String, Place> = parse("places.toml", PLACES)?;
        let palettes = parse("palettes.toml", PALETTES)?;
        let words: WordsFile = parse("words.toml", WORDS)?;
        let senses = senses(&words, &places, &groups);
        let longest = senses
            .keys()
            .map(|k| k.split(' ').count())
            .max()
            .unwrap_or(1);
        Ok(Self {
            groups,
            places,
            palettes,
            senses,
            longest,
        })
    }

    /// The senses of a phrase in lower case (words parted by one space), the likeliest first.
    pub(crate) fn senses(&self, phrase: &str) -> &[Sense] {
        self.senses.get(phrase).map_or(&[], Vec::as_slice)
    }
}

/// The role and the pose of a person's icon: `woman-walking` is `woman`, `walking`.
pub(crate) fn person(icon: &str) -> Option<(&str, &str)> {
    icon.split_once('-')
        .filter(|(role, _)| matches!(*role, "man" | "woman" | "person"))
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| IllustrationError::Format {
        path: PathBuf::from(name),
        format: "renderer table",
        offset: e.span().map_or(0, |s| s.start),
        reason: e.message().to_owned(),
    })
}

/// The entries of a comma-separated list, trimmed.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty())
}

/// Tables that are read first win a word: a colour word is a colour before it is a fruit.
fn senses(
    words: &WordsFile,
    places: &BTreeMap<String, Place>,
    groups: &BTreeMap<String, Group>,
) -> HashMap<String, Vec<Sense>> {
    let mut all: HashMap<String, Vec<Sense>> = HashMap::new();
    let mut put = |text: &str, sense: &dyn Fn() -> Sense| {
        for word in list(text) {
            // The reader sees words split at hyphens, so phrases are stored in that form.
            let key = word
                .replace('-', " ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let entry = all.entry(key).or_default();
            let sense = sense();
            if !entry.contains(&sense) {
                entry.push(sense);
            }
        }
    };
    for (name, w) in &words.time {
        put(w, &|| Sense::Time(name.clone()));
    }
    for (name, w) in &words.weather {
        put(w, &|| Sense::Weather(name.clone()));
    }
    for (name, w) in &words.season {
        put(w, &|| Sense::Season(name.clone()));
    }
    for (name, w) in &words.shot {
        put(w, &|| Sense::Shot(name.clone()));
    }
    for (number, w) in &words.numbers {
        let n = number.parse().unwrap_or(1);
        put(w, &|| Sense::Number(n));
    }
    for (name, w) in &words.colours {
        put(w, &|| Sense::Colour(name.clone()));
    }
    for row in &words.people {
        let figures: Vec<String> = list(&row.figures).map(str::to_owned).collect();
        put(&row.words, &|| Sense::People {
            figures: figures.clone(),
            pose: row.pose.clone(),
        });
    }
    for (pose, w) in &words.poses {
        put(w, &|| Sense::Pose(pose.clone()));
    }
    for (name, place) in places {
        put(&place.words, &|| Sense::Place(name.clone()));
    }
    for (word, icons) in &words.kinds {
        let icons: Vec<String> = list(icons).map(str::to_owned).collect();
        put(word, &|| Sense::OneOf(icons.clone()));
    }
    for (icon, w) in &words.alias {
        put(w, &|| Sense::Icon(icon.clone()));
    }
    for (name, w) in &words.implied {
        put(w, &|| Sense::Implied(name.clone()));
    }
    for icon in groups.values().flat_map(|g| g.icons.keys()) {
        if person(icon).is_none() {
            put(icon, &|| Sense::Icon(icon.clone()));
        }
    }
    put(&words.stop, &|| Sense::Stop);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree_with_one_another() {
        let tables = Tables::load().unwrap();
        let known = |icon: &String| tables.group(icon).is_some();
        for (phrase, senses) in &tables.senses {
            for sense in senses {
                let good = match sense {
                    Sense::Icon(icon) => known(icon),
                    Sense::OneOf(icons) => !icons.is_empty() && icons.iter().all(known),
                    Sense::Implied(colour) => {
                        crate::colour::named(colour).is_some()
                            && senses.iter().any(|s| matches!(s, Sense::Icon(_)))
                    }
                    Sense::Colour(colour) => crate::colour::named(colour).is_some(),
                    Sense::Place(place) => tables.places.contains_key(place),
                    _ => true,
                };
                assert!(good, "`{phrase}`: {sense:?}");
            }
        }
        for (name, group) in &tables.groups {
            assert!(
                tables.places.contains_key(&group.place),
                "{name}: {}",
                group.place
            );
        }
        for (name, place) in &tables.places {
            for prop in place.props() {
                assert!(tables.group(prop).is_some(), "{name}: {prop}");
            }
        }
    }
}
