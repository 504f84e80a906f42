//! Chooses a picture's background from its caption, its subject's home and its album.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::colour::named;
use crate::error::Result;
use crate::icons::Icons;
use crate::reading::{Mention, Reading, Subject};
use crate::scene::{Background, Season, Shot, TimeOfDay, Weather};
use crate::style::AlbumStyle;
use crate::tables::{Far, Ground, Kind, Stance, Tables};

/// Homes that say little: who lives there is at ease wherever the album is.
const EASY_HOMES: [&str; 3] = ["park", "garden", "town"];

/// Where a pose takes people that the caption puts nowhere.
const POSE_HOMES: [(&str, &str); 9] = [
    ("swimming", "lake"),
    ("rowing-boat", "lake"),
    ("surfing", "sea"),
    ("biking", "road"),
    ("singer", "stage"),
    ("dancing", "stage"),
    ("cook", "kitchen"),
    ("farmer", "farm"),
    ("teacher", "room"),
];

/// The place of a photo: the caption's word, else its first subject's home, else what the caption
/// is `like`, else the album's.
pub(crate) fn place(
    reading: &Reading,
    style: &AlbumStyle,
    tables: &Tables,
    icons: &Icons,
    like: &dyn Fn() -> Result<Option<String>>,
) -> Result<String> {
    let known = |name: &String| tables.places.contains_key(name);
    let home = likely_home(reading, tables, icons);
    let album = style.place.as_deref();
    let chosen = if let Some(place) = &reading.place {
        place.clone()
    } else {
        match (home, album) {
            (Some(home), Some(album)) if EASY_HOMES.contains(&home.as_str()) => {
                if suits(reading, album, tables, icons) {
                    album.to_owned()
                } else {
                    home
                }
            }
            (Some(home), _) => home,
            (None, _) => like()?
                .or_else(|| album.map(str::to_owned))
                .unwrap_or_else(|| "park".to_owned()),
        }
    };
    let chosen = if known(&chosen) {
        chosen
    } else {
        "park".to_owned()
    };
    // A dog in the kitchen stands in a room, not on the worktop.
    let living = reading.mentions.first().is_some_and(|m| living(m, icons));
    let table = tables.places[&chosen].kind == Kind::Table;
    Ok(if living && table {
        "room".to_owned()
    } else {
        chosen
    })
}

/// The first subject's home; where that says little, the first other one's that can hold both:
/// a cat on a sofa is in a room.
fn likely_home(reading: &Reading, tables: &Tables, icons: &Icons) -> Option<String> {
    let subject = reading.mentions.first()?;
    let first = home(subject, icons);
    let settled = first.as_deref().is_some_and(|h| !EASY_HOMES.contains(&h));
    if settled || !living(subject, icons) {
        return first;
    }
    let holds_both = |place: &String| {
        let Some(p) = tables.places.get(place) else {
            return false;
        };
        let usual = matches!(
            p.kind,
            Kind::Outdoor | Kind::Room | Kind::Table | Kind::Stage
        );
        usual && place != "sky" && place != "shop" && !EASY_HOMES.contains(&place.as_str())
    };
    let others: Vec<String> = reading.mentions[1..]
        .iter()
        .filter_map(|m| home(m, icons))
        .collect();
    let better = others.iter().find(|h| holds_both(h)).cloned();
    better.or(first).or_else(|| {
        others
            .into_iter()
            .find(|h| EASY_HOMES.contains(&h.as_str()))
    })
}

fn home(mention: &Mention, icons: &Icons) -> Option<String> {
    match &mention.subject {
        Subject::Icon(icon) => icons.facts(icon).map(|f| f.place.clone()),
        Subject::People {
            pose: Some(pose), ..
        } => POSE_HOMES
            .iter()
            .find(|(p, _)| p == pose)
            .map(|(_, home)| (*home).to_owned()),
        Subject::People { .. } => None,
    }
}

/// Whether the album's place can hold this photo's subject.
fn suits(reading: &Reading, place: &str, tables: &Tables, icons: &Icons) -> bool {
    let Some(p) = tables.places.get(place) else {
        return false;
    };
    let building = reading.mentions.iter().any(|m| match &m.subject {
        Subject::Icon(icon) => icons
            .facts(icon)
            .is_some_and(|f| matches!(f.stance, Stance::Building | Stance::Plant)),
        Subject::People { .. } => false,
    });
    match p.kind {
        // Churches do not swim, and flowers do not grow on rails.
        Kind::Outdoor => {
            !(building && matches!(p.ground, Ground::Water | Ground::Road | Ground::Rails))
        }
        Kind::Room | Kind::Stage => !building,
        Kind::Table | Kind::Underwater | Kind::Space => false,
    }
}

pub(crate) fn living(mention: &Mention, icons: &Icons) -> bool {
    match &mention.subject {
        Subject::Icon(icon) => icons.facts(icon).is_some_and(|f| f.living),
        Subject::People { .. } => true,
    }
}

/// Everything behind the items.
pub(crate) fn background(
    place: String,
    reading: &Reading,
    style: &AlbumStyle,
    tables: &Tables,
    rng: &mut ChaCha8Rng,
) -> Background {
    let p = &tables.places[&place];
    let season = reading.season.as_deref().and_then(Season::named).unwrap_or(
        match (p.ground, place.as_str()) {
            (Ground::Snow, _) => Season::Winter,
            (_, "savanna" | "desert" | "jungle" | "beach") => Season::Summer,
            _ => style.season,
        },
    );
    let time = reading
        .time
        .as_deref()
        .map(TimeOfDay::named)
        .or(style.time)
        .unwrap_or(TimeOfDay::Day);
    let weather = reading
        .weather
        .as_deref()
        .map(Weather::named)
        .or(style.weather)
        .unwrap_or_else(|| {
            if rng.random_bool(0.2) {
                Weather::Cloudy
            } else {
                Weather::Clear
            }
        });
    let shot = match reading.shot.as_deref() {
        Some("close") => Shot::Close,
        Some("wide") => Shot::Wide,
        _ => match rng.random_range(0..10) {
            0..3 => Shot::Close,
            3..8 => Shot::Medium,
            _ => Shot::Wide,
        },
    };
    let (low, high) = match (p.kind, p.ground, shot) {
        (Kind::Table, ..) => (0.56, 0.66),
        (Kind::Room, ..) => (0.66, 0.74),
        (Kind::Stage, ..) => (0.68, 0.74),
        (Kind::Underwater, ..) => (0.78, 0.86),
        (Kind::Space, ..) => (1.0, 1.001),
        _ if place == "sky" => (0.82, 0.88),
        (Kind::Outdoor, Ground::Water, _) => (0.36, 0.5),
        (Kind::Outdoor, _, Shot::Close) => (0.46, 0.58),
        (Kind::Outdoor, _, Shot::Medium) => (0.5, 0.62),
        (Kind::Outdoor, _, Shot::Wide) => (0.48, 0.56),
    };
    // The town's and the street's houses stand on the horizon: they need room above it.
    let raised = if matches!(p.far, Far::Houses | Far::Skyline) {
        0.04
    } else {
        0.0
    };
    Background {
        horizon: rng.random_range(low..high) + raised,
        colours: reading.colours.iter().filter_map(|c| named(c)).collect(),
        bank: false,
        seed: rng.random(),
        place,
        time,
        weather,
        season,
        shot,
    }
}
