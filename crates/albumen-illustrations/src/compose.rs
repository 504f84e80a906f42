//! Turns what a caption says into items: which icons, how large, in which colours.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::colour::{Rgb, named};
use crate::error::Result;
use crate::icons::{Icons, Recolour};
use crate::layout::{Stage, Wanted};
use crate::reading::{Mention, Reading, Subject};
use crate::scene::{Background, Item, Scene, Season, Shot};
use crate::style::AlbumStyle;
use crate::tables::{Far, Ground, Kind, Place, Stance};

/// How often a crowded picture is tried again, each time with smaller subjects.
const SHRINKS: i32 = 5;

/// Cost of a position (overlap, parts outside the frame) that is good enough.
const GOOD: f32 = 0.3;

/// Cost above which a prop is left out.
const PROP_COST: f32 = 0.25;

/// Plans the items of one picture.
pub(crate) fn compose(
    mut background: Background,
    place: &Place,
    reading: &Reading,
    style: &AlbumStyle,
    icons: &Icons,
    aspect: f32,
    rng: &mut ChaCha8Rng,
) -> Result<Scene> {
    let wanted = subjects(&background, place, reading, style, icons, rng)?;
    background.bank = place.ground == Ground::Water
        && wanted
            .iter()
            .any(|w| !matches!(w.stance, Stance::Float | Stance::Sky | Stance::Swim));
    let stage = Stage {
        place,
        background: &background,
        aspect,
    };
    let mut settled = stage.all(&wanted, 1.0, rng);
    for i in 1..=SHRINKS {
        if settled.worst < GOOD {
            break;
        }
        let next = stage.all(&wanted, 0.9_f32.powi(i), rng);
        if next.worst < settled.worst {
            settled = next;
        }
    }
    for prop in props(&stage, place, style, icons, rng)? {
        let (cost, item, area) = stage.settle(&prop, 1.0, &settled.areas, rng);
        if cost < PROP_COST {
            settled.areas.push((area, prop.stance));
            settled.items.push(item);
        }
    }
    let mut items = settled.items;
    items.sort_by(|a, b| {
        (rank(a), a.y)
            .partial_cmp(&(rank(b), b.y))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(Scene { background, items })
}

/// Far things are painted first.
fn rank(item: &Item) -> u8 {
    match item.stance {
        Stance::Building => 0,
        Stance::Sky => 1,
        Stance::Bust => 3,
        _ => 2,
    }
}

/// The icons that the caption asks for, with their sizes.
fn subjects(
    background: &Background,
    place: &Place,
    reading: &Reading,
    style: &AlbumStyle,
    icons: &Icons,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Wanted>> {
    let mut all: Vec<(String, Option<Recolour>, f32, bool, usize)> = Vec::new();
    for (rank, m) in reading.mentions.iter().enumerate() {
        match &m.subject {
            Subject::Icon(icon) => {
                let look = icons.look(icon)?;
                let change = if rank == 0 {
                    dyed(m, icon, look.main, style, icons, &reading.colours)
                } else {
                    dyed(m, icon, look.main, style, icons, &[])
                };
                let change = change.or_else(|| foliage(icon, look.main, style, background.season));
                let metres = icons.facts(icon).map_or(1.0, |f| f.metres);
                for _ in 0..m.count {
                    all.push((icon.clone(), change, metres, rank == 0, rank));
                }
            }
            Subject::People { figures, pose } => {
                let count = m.count.max(if m.count > 1 { 0 } else { figures.len() });
                for i in 0..count {
                    let role = &figures[i % figures.len()];
                    let ordinal = i / figures.len();
                    let idle = if rng.random_bool(0.6) {
                        "standing"
                    } else {
                        "walking"
                    };
                    let (icon, mut change) =
                        style.person(icons, role, ordinal, pose.as_deref().unwrap_or(idle));
                    if let (Some(c), Some(to)) = (&mut change, m.colour.as_deref().and_then(named))
                    {
                        c.to = to;
                    }
                    let child = matches!(role.as_str(), "boy" | "girl");
                    let metres = icons.facts(&icon).map_or(1.7, |f| f.metres);
                    let metres = if child { metres * 0.62 } else { metres };
                    all.push((icon, change, metres, rank == 0, rank));
                }
            }
        }
    }
    let n_main = all.iter().filter(|a| a.3).count();
    let crowd = (all.len() - n_main) as f32;
    let main_metres = all.first().map_or(1.0, |a| a.2);
    let mut out = Vec::with_capacity(all.len());
    for (icon, recolour, metres, main, rank) in all {
        let look = icons.look(&icon)?;
        let home = icons.facts(&icon).map_or(Stance::Ground, |f| f.stance);
        let stance = stance_here(home, place);
        let base = base_height(stance, place) * shot_factor(background.shot, stance)
            / (1.0 + 0.05 * crowd)
            * (n_main as f32).powf(-0.34);
        let power = if stance == Stance::Table { 0.2 } else { 0.4 };
        let ratio = (metres / main_metres).powf(power).clamp(0.4, 1.5);
        let mut scale = base * ratio;
        if rank > 0 {
            scale *= 0.86;
        }
        if n_main > 1 {
            scale *= rng.random_range(0.9..1.08);
        }
        // Wide icons would leave the frame.
        let scale = scale.min(0.72 / look.aspect()).min(0.8);
        out.push(Wanted {
            icon,
            look,
            stance,
            scale,
            recolour,
            main,
            prop: false,
            rides: metres > 3.0,
        });
    }
    Ok(out)
}

/// Kinds of things whose own colour a photo's main colour mostly is. Not so with buildings and
/// grazing animals: there it is the sky's and the grass's.
const DYED_THEMES: [&str; 6] = [
    "bird",
    "sea creature",
    "flower",
    "clothing",
    "household thing",
    "road vehicle",
];

/// Colours that are seldom a background's.
const SUBJECT_COLOURS: [&str; 6] = ["red", "orange", "yellow", "purple", "pink", "teal"];

/// A coat or paint: the caption's colour word for it, the photo's main colour where that is likely
/// the subject's, or the album's own coat for this animal.
fn dyed(
    m: &Mention,
    icon: &str,
    main: Rgb,
    style: &AlbumStyle,
    icons: &Icons,
    picture: &[String],
) -> Option<Recolour> {
    let dyeable = icons
        .facts(icon)
        .is_some_and(|f| DYED_THEMES.contains(&f.theme.as_str()));
    let own = m.colour.as_deref().and_then(named);
    let whole = || {
        let name = picture
            .iter()
            .find(|c| SUBJECT_COLOURS.contains(&c.as_str()))?;
        named(name).filter(|_| dyeable)
    };
    let to = own.or_else(whole).or_else(|| style.coat(icon))?;
    Some(Recolour { from: main, to })
}

/// How a thing stands in this place.
fn stance_here(home: Stance, place: &Place) -> Stance {
    match (place.kind, home) {
        (Kind::Underwater, Stance::Float | Stance::Sky | Stance::Head) => Stance::Swim,
        (Kind::Space, _) => Stance::Sky,
        (Kind::Table, Stance::Bust) => Stance::Bust,
        (Kind::Table, _) => Stance::Table,
        (_, Stance::Swim | Stance::Float)
            if place.ground == Ground::Water || place.far == Far::Sea =>
        {
            Stance::Float
        }
        (Kind::Outdoor, Stance::Swim | Stance::Float)
        | (
            Kind::Room | Kind::Stage,
            Stance::Swim | Stance::Float | Stance::Building | Stance::Plant,
        ) => Stance::Ground,
        _ => home,
    }
}

/// Height of a single main subject in a medium shot, over the picture's height.
fn base_height(stance: Stance, place: &Place) -> f32 {
    match stance {
        Stance::Building if place.ground == Ground::Water => 0.36,
        Stance::Building => 0.56,
        Stance::Float if place.far == Far::Sea => 0.22,
        Stance::Bust => 0.62,
        Stance::Sky if place.kind == Kind::Space => 0.42,
        Stance::Float => 0.36,
        Stance::Sky | Stance::Swim | Stance::Head => 0.34,
        Stance::Table if place.kind == Kind::Stage => 0.6,
        Stance::Table if place.kind == Kind::Room => 0.32,
        Stance::Table => 0.42,
        Stance::Ground | Stance::Plant if place.kind != Kind::Outdoor => 0.54,
        Stance::Ground | Stance::Plant => 0.46,
    }
}

fn shot_factor(shot: Shot, stance: Stance) -> f32 {
    let factor = match shot {
        Shot::Close => 1.25,
        Shot::Medium => 1.0,
        Shot::Wide => 0.72,
    };
    if stance == Stance::Building {
        f32::midpoint(factor, 1.0)
    } else {
        factor
    }
}

/// Trees follow the palette and the season.
fn foliage(icon: &str, main: Rgb, style: &AlbumStyle, season: Season) -> Option<Recolour> {
    let leaves = match (icon, season) {
        ("deciduous-tree", Season::Autumn) => Rgb::new(0.85, 0.55, 0.2),
        ("deciduous-tree", Season::Winter) => Rgb::new(0.8, 0.86, 0.9),
        ("deciduous-tree", Season::Spring) => style.palette.grass.scaled(0.92),
        ("deciduous-tree", Season::Summer) => style.palette.grass.scaled(0.8),
        ("evergreen-tree", _) => style.palette.far[2].mix(Rgb::new(0.1, 0.38, 0.24), 0.6),
        _ => return None,
    };
    Some(Recolour {
        from: main,
        to: leaves,
    })
}

/// A few things that belong to the place.
fn props(
    stage: &Stage,
    place: &Place,
    style: &AlbumStyle,
    icons: &Icons,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Wanted>> {
    let names: Vec<&str> = place.props().into_iter().filter(|n| icons.has(n)).collect();
    let mut out = Vec::new();
    if names.is_empty() {
        return Ok(out);
    }
    // An album's own choice of plants, drawn afresh in number and position for each photo.
    let mut own = style.stream(&stage.background.place, 0);
    let favourites: Vec<&str> = names.choose_multiple(&mut own, 2).copied().collect();
    let indoors = place.kind != Kind::Outdoor;
    let count = if indoors {
        rng.random_range(1..=2)
    } else {
        rng.random_range(2..=5)
    };
    for _ in 0..count {
        let Some(name) = favourites.choose(rng) else {
            break;
        };
        let look = icons.look(name)?;
        let Some(facts) = icons.facts(name) else {
            continue;
        };
        let tall = (facts.metres / 7.0).powf(0.45);
        let house = if facts.stance == Stance::Building {
            0.7
        } else {
            1.0
        };
        let size = match *name {
            "musical-notes" => 0.12,
            _ if indoors => 0.3,
            _ => 0.3 * tall * house,
        };
        let scale = size * rng.random_range(0.8..1.2);
        let hangs = matches!(*name, "framed-picture" | "musical-notes");
        let stance = if hangs { Stance::Sky } else { Stance::Plant };
        let recolour = if *name == "musical-notes" {
            Some(Recolour {
                from: look.main,
                to: style.palette.accent[2].mix(Rgb::WHITE, 0.35),
            })
        } else {
            foliage(name, look.main, style, stage.background.season)
        };
        out.push(Wanted {
            icon: (*name).to_owned(),
            look,
            stance,
            scale,
            recolour,
            main: false,
            prop: true,
            rides: false,
        });
    }
    Ok(out)
}
