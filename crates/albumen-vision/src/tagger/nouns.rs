//! The plain nouns of ImageNet's classes.

use std::sync::LazyLock;

/// What sort of thing a noun names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody, or clothing that stands for its wearer.
    Person,
    /// An animal.
    Animal,
    /// A building, monument, bridge or street furniture.
    Building,
    /// A vehicle.
    Vehicle,
    /// A landscape or a room.
    Scene,
    /// A plant or mushroom.
    Plant,
    /// Food or drink.
    Food,
    /// A musical instrument.
    Instrument,
    /// Furniture and fittings of a house.
    Furniture,
    /// Anything else.
    Object,
}

/// Where the thing is usually seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Indoors,
    Outdoors,
    Underwater,
    Either,
}

/// A class in plain words.
#[derive(Debug, PartialEq)]
pub(crate) struct Words {
    /// With its article: "a swan".
    pub(crate) noun: &'static str,
    /// "a bird"
    pub(crate) broad: &'static str,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// "by a lake", where the thing can be a setting.
    pub(crate) setting: Option<&'static str>,
}

/// One row a class, in ImageNet's order. Rows of the table that cannot be read are left out, so
/// that the length tells whether the table is whole.
pub(crate) static NOUNS: LazyLock<Vec<Words>> = LazyLock::new(|| {
    include_str!("../../data/imagenet_nouns.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse_row)
        .collect()
});

fn parse_row(line: &'static str) -> Option<Words> {
    let columns: Vec<&str> = line.split('\t').collect();
    let &[_, noun, broad, kind, place, setting] = &columns[..] else {
        return None;
    };
    let kind = match kind {
        "person" => Kind::Person,
        "animal" => Kind::Animal,
        "building" => Kind::Building,
        "vehicle" => Kind::Vehicle,
        "scene" => Kind::Scene,
        "plant" => Kind::Plant,
        "food" => Kind::Food,
        "instrument" => Kind::Instrument,
        "furniture" => Kind::Furniture,
        "object" => Kind::Object,
        _ => return None,
    };
    let place = match place {
        "indoors" => Place::Indoors,
        "outdoors" => Place::Outdoors,
        "underwater" => Place::Underwater,
        "-" => Place::Either,
        _ => return None,
    };
    Some(Words {
        noun,
        broad,
        kind,
        place,
        setting: (setting != "-").then_some(setting),
    })
}

#[cfg(test)]
mod tests {
    use super::super::efficientnet::CLASSES;
    use super::*;

    #[test]
    fn the_table_has_a_row_for_every_class() {
        assert_eq!(NOUNS.len(), CLASSES);
        assert_eq!(NOUNS[207].noun, "a dog"); // golden retriever
        assert_eq!(NOUNS[975].setting, Some("by a lake")); // lakeside
    }
}
